/**
 * One producer as a process that may be killed. Argument: a {@link FeederSetup} as JSON. Tells its parent {@link FeederReport}s over IPC,
 * and is told how much is due.
 *
 * What a producer has to do that must lose nothing when a server does: hold everything back that it has not seen confirmed. An answered append
 * is not that yet. Now and then it notes how far the log has answered, waits for `confirmDurable`, and only then forgets its input up to
 * there (here: writes it to a file, its input being a pure function). When the wait fails, or an append meets a gap, the log
 * may have lost its tail: it opens its writer anew, which begins behind what the log has, and sends from there.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Durability,
  errorText,
  FrameWriter,
  openRedisPartitionLog,
  type PartitionLog,
  systemClock,
} from '#engine';
import { ChaosEvent, eventAt, TOPICS, type Workload } from './workload.ts';

export interface FeederSetup {
  readonly redisUrl: string;
  readonly namespace: string;
  readonly durability: Durability;
  readonly workload: Workload;
  readonly feeder: number;
  /** Keeps what was confirmed over deaths. */
  readonly file: string;
}

export interface FeederReport {
  /** Per lane: the last record that the log has confirmed. */
  readonly confirmed: readonly number[];
  readonly due: number;
  /** How often the writer was opened anew. */
  readonly reopened: number;
  /** Records that were confirmed and that the log does not have any more: must stay 0. */
  readonly lostConfirmed: number;
  readonly lastError: string;
}

const CONFIRM_EVERY_MS = 400;
const PACE_MS = 100;
/** Records of one lane per round, so that what fell behind comes back with several times the rate but not at once. */
const BURST_MAX = 512;

class Feeder {
  readonly #setup: FeederSetup;
  readonly #log: PartitionLog;
  readonly #confirmed: number[];
  #due = 0;
  #reopened = -1;
  #lostConfirmed = 0;
  #lastError = '';

  constructor(setup: FeederSetup, log: PartitionLog) {
    this.#setup = setup;
    this.#log = log;
    this.#confirmed = readConfirmed(setup);
  }

  /** Follows what the parent says is due, for ever. */
  async run(): Promise<never> {
    process.on('message', (due: number) => {
      this.#due = Math.max(this.#due, due);
    });
    setInterval(() => this.#report(), 100);
    for (;;) {
      try {
        await this.#feed();
      } catch (error) {
        this.#lastError = errorText(error);
        await sleep(100);
      }
    }
  }

  /** With one writer, until something is wrong. */
  async #feed(): Promise<void> {
    const ending = new AbortController();
    const writer = await this.#open(ending.signal);
    try {
      await Promise.race([this.#write(writer, ending.signal), this.#confirm(writer, ending.signal)]);
    } finally {
      ending.abort();
      await writer.close().catch(() => {});
    }
  }

  async #open(signal: AbortSignal): Promise<FrameWriter<ChaosEvent>> {
    const { feeder } = this.#setup;
    this.#reopened++;
    const writer = await FrameWriter.open({
      log: this.#log,
      topic: TOPICS.events,
      schema: ChaosEvent,
      producer: `feeder-${feeder}`,
      epoch: 1,
      partitionOf: ({ lane }) => lane,
      clock: systemClock,
      signal,
    });
    for (const [lane, confirmed] of this.#confirmed.entries()) {
      const lost = confirmed - writer.storedSequence(lane);
      if (lost > 0) this.#lostConfirmed += lost;
    }
    return writer;
  }

  async #write(writer: FrameWriter<ChaosEvent>, signal: AbortSignal): Promise<void> {
    const { workload, feeder } = this.#setup;
    const next = this.#confirmed.map((_, lane) => writer.storedSequence(lane) + 1);
    while (!signal.aborted) {
      for (let lane = 0; lane < next.length; lane++) {
        const first = next[lane] as number;
        const last = Math.min(this.#due, first + BURST_MAX - 1);
        for (let n = first; n <= last; n++) {
          const room = writer.write(eventAt(workload, feeder, lane, n));
          next[lane] = n + 1;
          if (room instanceof Promise) await room;
        }
      }
      if (next.every((n) => n > this.#due) || this.#due > workload.coldKeysPerLane) await sleep(PACE_MS);
      else await sleep(0);
    }
  }

  async #confirm(writer: FrameWriter<ChaosEvent>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(CONFIRM_EVERY_MS);
      const stored = this.#confirmed.map((_, lane) => writer.storedSequence(lane));
      await this.#log.confirmDurable();
      for (const [lane, last] of stored.entries()) this.#confirmed[lane] = last;
      this.#keep();
    }
  }

  #keep(): void {
    const { file } = this.#setup;
    writeFileSync(`${file}.new`, JSON.stringify(this.#confirmed));
    renameSync(`${file}.new`, file);
  }

  #report(): void {
    const report: FeederReport = {
      confirmed: this.#confirmed,
      due: this.#due,
      reopened: this.#reopened,
      lostConfirmed: this.#lostConfirmed,
      lastError: this.#lastError,
    };
    process.send?.(report, undefined, undefined, () => {});
  }
}

function readConfirmed({ file, workload }: FeederSetup): number[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as number[];
  } catch {
    return Array.from({ length: workload.lanes }, () => 0);
  }
}

process.on('disconnect', () => process.exit(1));
const setup = JSON.parse(process.argv[2] as string) as FeederSetup;
const { redisUrl: url, namespace, durability } = setup;
const log = await openRedisPartitionLog({ url, namespace, durability, clock: systemClock });
await new Feeder(setup, log).run();
