import { errorText, hasCode, JobRegistry, type JsonObject, type RequestKind } from '#engine';
import type { Random } from '../../../engine/base/random.ts';
import type { SimProcess } from '../process.ts';
import { NAMESPACE } from '../simulated-job.ts';
import { JOB } from './pipeline-job.ts';
import type { WorkersWorld } from './workers-world.ts';

/** Something that somebody asks for at a time of the run, virtual ms. */
export type Errand = { readonly atMs: number } & (
  | { readonly kind: 'rescale'; readonly parallelism: number }
  | { readonly kind: 'savepoint' | 'restart' }
  /** Stopped with a savepoint, or plainly, and started again after a while. */
  | { readonly kind: 'pause' | 'stop'; readonly forMs: number }
);

/** Draws what is asked for in one run: nothing, mostly one thing, seldom more. */
export function drawErrands(random: Random, untilMs: number): readonly Errand[] {
  const count = Math.floor(random() * 3);
  const errands = Array.from({ length: count }, (): Errand => {
    const atMs = Math.round(1_000 + random() * (untilMs - 1_000));
    const draw = random();
    const forMs = Math.round(100 + random() ** 2 * 4_000);
    if (draw < 0.4) return { atMs, kind: 'rescale', parallelism: 1 + Math.floor(random() * 4) };
    if (draw < 0.55) return { atMs, kind: 'savepoint' };
    if (draw < 0.65) return { atMs, kind: 'restart' };
    return { atMs, kind: draw < 0.85 ? 'pause' : 'stop', forMs };
  });
  return errands.sort((a, b) => a.atMs - b.atMs);
}

/**
 * Somebody at a console who wants the job to run: deploys it, asks for what the errands say, starts it again when it has ended or was
 * forgotten, and stops it when everything is done. Remembers outside of every process what was asked.
 */
export class Console {
  /** What came of the errands, for people. */
  readonly notes: string[] = [];
  readonly #world: WorkersWorld;
  readonly #errands: readonly Errand[];
  #parallelism: number;
  #commands = 0;
  #done = 0;
  #state: 'wanted' | 'ending' | 'over' = 'wanted';

  constructor(
    world: WorkersWorld,
    options: { readonly parallelism: number; readonly errands: readonly Errand[] },
  ) {
    this.#world = world;
    this.#parallelism = options.parallelism;
    this.#errands = [...options.errands];
  }

  /** Has the job drained and stopped for good. */
  finish(): void {
    if (this.#state === 'wanted') this.#state = 'ending';
  }

  /** The job was stopped for good. */
  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** The main function of the console's process; never ends. */
  async run(process: SimProcess): Promise<never> {
    const { clock, uuid } = process;
    const shared = this.#world.sharedOptions(process);
    const link = await shared.openLink({ url: shared.url, name: 'console', clock });
    const jobs = new JobRegistry({ link, namespace: NAMESPACE, clock, uuid });
    for (;;) {
      await clock.sleep(LOOK_EVERY_MS);
      try {
        const errand = this.#errands[this.#done];
        if (this.#state === 'over') continue;
        await this.#keepRunning(jobs);
        if (this.#state === 'ending') await this.#end(jobs, process);
        else if (errand !== undefined && errand.atMs <= clock.monotonic()) {
          this.#done++;
          this.notes.push(`${errand.kind}: ${await this.#run(errand, jobs, process)}`);
        }
      } catch (error) {
        if (!hasCode(error, 'MR_REDIS_UNAVAILABLE') && !hasCode(error, 'MR_API_NOT_FOUND')) throw error;
      }
    }
  }

  async #keepRunning(jobs: JobRegistry): Promise<void> {
    const desired = await jobs.desired(JOB);
    if (desired?.desired === 'running') return;
    await jobs.change(JOB, this.#command('start'), { desired: 'running', parallelism: this.#parallelism });
  }

  async #run(errand: Errand, jobs: JobRegistry, process: SimProcess): Promise<string> {
    switch (errand.kind) {
      case 'rescale': {
        const { parallelism } = errand;
        const { how } = await this.#ask(jobs, process, errand.kind, { parallelism });
        if (how === 'done') this.#parallelism = parallelism;
        return `to ${parallelism} ${how}`;
      }
      case 'savepoint':
      case 'restart':
        return (await this.#ask(jobs, process, errand.kind, {})).how;
      case 'pause': {
        const { how } = await this.#ask(jobs, process, 'stop-with-savepoint', {});
        await process.clock.sleep(errand.forMs);
        return how;
      }
      case 'stop':
        await jobs.change(JOB, this.#command('stop'), { desired: 'stopped' });
        await process.clock.sleep(errand.forMs);
        return 'done';
    }
  }

  async #end(jobs: JobRegistry, process: SimProcess): Promise<void> {
    const status = await jobs.status(JOB);
    const { state } = JSON.parse(Buffer.from(status?.document ?? '{}').toString()) as {
      readonly state?: string;
    };
    if (state !== 'running') return;
    const { how, result } = await this.#ask(jobs, process, 'stop-with-savepoint', { drain: true });
    const desired = await jobs.desired(JOB);
    this.notes.push(`end: ${how}`);
    // Without a savepoint it was stopped where it stood, between two attempts.
    if (how === 'done' && result['savepoint'] !== null && desired?.desired === 'stopped')
      this.#state = 'over';
  }

  /** Asks, and waits for the answer for a while. */
  async #ask(jobs: JobRegistry, process: SimProcess, kind: RequestKind, args: JsonObject): Promise<Answered> {
    const { clock } = process;
    const id = this.#command(kind);
    const untilMs = clock.monotonic() + PATIENCE_MS;
    await jobs.request(JOB, id, kind, args);
    while (clock.monotonic() < untilMs) {
      await clock.sleep(LOOK_EVERY_MS);
      const request = await jobs.requested(JOB, id);
      if (request === null) return { how: 'forgotten', result: {} };
      if (request.answer.state === 'pending') continue;
      const { state, result } = request.answer;
      return { how: state === 'done' ? state : `${state} ${errorText(result['message'])}`, result };
    }
    return { how: 'unanswered', result: {} };
  }

  #command(what: string): string {
    return `${what}.${++this.#commands}`;
  }
}

interface Answered {
  readonly how: string;
  readonly result: JsonObject;
}

const LOOK_EVERY_MS = 300;
const PATIENCE_MS = 12_000;
