import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import type { HostSettings } from '#engine';
import { systemClock } from '#wire';
import type { DevCommand, DevReport, StateWanted } from './dev-thread.ts';

type Answer<Kind extends DevReport['kind']> = Extract<DevReport, { readonly kind: Kind }> | Died;
/** The job's code, or {@link JobThread.kill}, has ended the thread. */
interface Died {
  readonly kind: 'died';
  readonly why: string;
}

/** What a version of a job has to say while it runs. */
export interface JobThreadListener {
  readonly line: (text: string) => void;
  readonly status: (text: string) => void;
  /** The job's code has ended its thread while nothing was asked of it. */
  readonly died: (why: string) => void;
}

/** For a last checkpoint. Code that hangs is ended without. */
const STOP_MS_MAX = 10_000;

/**
 * A thread with one version of a job, seen from outside. It loads Millrace at once, and waits.
 * Owns the thread. Suspends until the thread answers.
 */
export class JobThread {
  readonly #worker: Worker;
  readonly #listener: JobThreadListener;
  #answered: ((answer: DevReport | Died) => void) | null = null;
  #died: Died | null = null;

  constructor(listener: JobThreadListener) {
    this.#listener = listener;
    const entry = new URL('./dev-thread-entry.mjs', import.meta.url);
    const worker = new Worker(entry, { stdout: true, stderr: true });
    this.#worker = worker;
    for (const stream of [worker.stdout, worker.stderr])
      createInterface({ input: stream }).on('line', (line) => listener.line(line));
    let why: string | null = null;
    worker.on('error', (error) => (why = String((error as Partial<Error>).stack ?? error)));
    worker.on('exit', (code) => this.#ended({ kind: 'died', why: why ?? `exit code ${code}` }));
    worker.on('message', (report: DevReport) => this.#take(report));
  }

  load(url: string, settings: HostSettings): Promise<Answer<'loaded' | 'unusable'>> {
    return this.#ask({ kind: 'load', url, settings });
  }

  run(state: StateWanted): Promise<Answer<'running' | 'refused' | 'failed'>> {
    return this.#ask({ kind: 'run', state });
  }

  /** Ends it, with a last checkpoint of a job that runs; resolves to its number. */
  async stop(): Promise<number | null> {
    const patience = new AbortController();
    const stopped = await Promise.race([
      this.#ask<'stopped'>({ kind: 'stop' }),
      systemClock.sleep(STOP_MS_MAX, patience.signal).then(() => null),
    ]);
    patience.abort();
    await this.kill();
    return stopped?.kind === 'stopped' ? stopped.checkpoint : null;
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.#answered ??= () => {}; // nobody is told that it has died
    await this.#worker.terminate();
  }

  #ask<Kind extends DevReport['kind']>(command: DevCommand): Promise<Answer<Kind>> {
    if (this.#died !== null) return Promise.resolve(this.#died);
    const { promise, resolve } = Promise.withResolvers<Answer<Kind>>();
    this.#answered = resolve as (answer: DevReport | Died) => void;
    this.#worker.postMessage(command);
    return promise;
  }

  #take(report: DevReport): void {
    if (report.kind === 'line') this.#listener.line(report.text);
    else if (report.kind === 'status') this.#listener.status(report.text);
    else this.#answer(report);
  }

  #ended(died: Died): void {
    this.#died = died;
    if (this.#answered === null) this.#listener.died(died.why);
    else this.#answer(died);
  }

  #answer(answer: DevReport | Died): void {
    this.#answered?.(answer);
    this.#answered = null;
  }
}
