import { setTimeout as sleep } from 'node:timers/promises';
import type { JobStatus } from '#engine';
import type { JobClient, NeverStarted } from './job-client.ts';
import { TOPICS } from './workload.ts';

/**
 * Growth that pauses for longer counts as a stall; a status is published every quarter of a second, from figures as old as that. What is
 * visible grows with checkpoints, so there it is the pause beside their interval.
 */
const STALL_MS = { read: 1_500, visible: 2_500 } as const;
const LOOK_EVERY_MS = 50;
const VISIBLE_EVERY = 4;

/** `read`: records that the job has counted, by its status. `visible`: records of its exactly-once output that readers can see. */
export type Gauge = keyof typeof STALL_MS;

interface Advances {
  highest: number;
  /** When it rose, ms of performance.now(). */
  readonly times: number[];
}

/**
 * Watches how far the job has come. Only what goes beyond everything seen before counts: an attempt that reads again what one before it
 * had read makes no progress.
 */
export class Progress {
  readonly failures = new Map<string, string>();
  /** What the job's status said anew, and when. */
  readonly states: { readonly atMs: number; readonly state: string }[] = [];
  readonly #job: JobClient;
  readonly #stallMs: Readonly<Record<Gauge, number>>;
  readonly #advances: Readonly<Record<Gauge, Advances>> = {
    read: { highest: 0, times: [] },
    visible: { highest: 0, times: [] },
  };
  readonly #done: Promise<void>;
  #status: JobStatus | null = null;
  #givenUp: string | null = null;
  #ended = false;

  constructor(job: JobClient, checkpointMs: number) {
    this.#job = job;
    this.#stallMs = { ...STALL_MS, visible: STALL_MS.visible + checkpointMs };
    this.#done = this.#watch();
  }

  get status(): JobStatus | null {
    return this.#status;
  }

  /** Why the job does not run and will not; null while it may. */
  get givenUp(): string | null {
    return this.#givenUp;
  }

  /** Records that the newest attempt has read. */
  get consumed(): number {
    return consumedOf(this.#status) ?? 0;
  }

  lastAdvanceMs(gauge: Gauge): number {
    return this.#advances[gauge].times.at(-1) ?? 0;
  }

  /**
   * From `fromMs` to the first new progress behind the last stall that ends before `untilMs`; 0 without a stall; null when it has not
   * gone on by then.
   */
  recoveryMs(gauge: Gauge, fromMs: number, untilMs: number): number | null {
    const { times } = this.#advances[gauge];
    let recovered = 0;
    let before = times.findLast((at) => at <= fromMs) ?? fromMs;
    for (const at of times) {
      if (at <= fromMs) continue;
      if (at > untilMs) break;
      if (at - before > this.#stallMs[gauge]) recovered = at - fromMs;
      before = at;
    }
    return untilMs - before > this.#stallMs[gauge] ? null : recovered;
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#done;
  }

  async #watch(): Promise<void> {
    for (let look = 0; !this.#ended; look++) {
      await sleep(LOOK_EVERY_MS);
      const status = await this.#job.status().catch(() => null);
      if (status !== null) this.#take(status);
      if (look % VISIBLE_EVERY !== 0) continue;
      const ends = await this.#job.log.ends(TOPICS.windows).catch(() => []);
      this.#note(
        'visible',
        ends.reduce((sum, { end }) => sum + end, 0),
      );
    }
  }

  #take(status: JobStatus | NeverStarted): void {
    if (status.sources === undefined) {
      this.#givenUp = `${status.code}: ${status.message}`;
      return;
    }
    const state = `${status.state} ${status.generation}`;
    if (this.states.at(-1)?.state !== state) this.states.push({ atMs: performance.now(), state });
    this.#status = status;
    if (status.state === 'failed') this.#givenUp = status.failures[0]?.message ?? 'failed';
    for (const { at, code, message } of status.failures) this.failures.set(`${at}|${message}`, code);
    const consumed = consumedOf(status);
    if (consumed !== null) this.#note('read', consumed);
  }

  #note(gauge: Gauge, value: number): void {
    const advances = this.#advances[gauge];
    if (value <= advances.highest) return;
    advances.highest = value;
    advances.times.push(performance.now());
  }
}

function consumedOf(status: JobStatus | null): number | null {
  if (status === null || status.sources.length === 0) return null;
  return status.sources.reduce((sum, { offset }) => sum + offset, 0);
}
