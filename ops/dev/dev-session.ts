import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HostSettings } from '#engine';
import { errorCode, MillraceError, systemClock } from '#wire';
import type { StatusDisplay } from '../supervisor/status-display.ts';
import type { StateWanted } from './dev-thread.ts';
import { JobThread } from './job-thread.ts';
import { WatchedFiles } from './watched-files.ts';

export interface DevOptions {
  /** Of the job's module. */
  readonly url: string;
  /** Resolves when there is a Redis; Millrace is loaded meanwhile. */
  readonly settings: Promise<HostSettings>;
  readonly state: StateWanted;
  readonly display: StatusDisplay;
}

/** What somebody wants. A change of a file may be followed by others at once. */
type Wish =
  | { readonly kind: 'changed'; readonly path: string }
  | { readonly kind: 'fresh' | 'drop' | 'stop' };

/** Programs save a file in several steps, and several files at once. */
const QUIET_MS = 50;

/**
 * Runs a job while it is written: the newest version that can be loaded, each in a thread of its own, each from where the one before stopped.
 * Owns the threads and the watched files. Suspends for a wish, and for a thread's answers.
 *
 * DS1 the old version runs until the new one is loaded, and has stopped before that runs.
 * DS2 what cannot be loaded, run or restored is told, and waits for the next wish; only a job that has never run ends the session.
 */
export class DevSession {
  readonly #options: DevOptions;
  readonly #watched = new WatchedFiles((path) => this.#wish({ kind: 'changed', path }));
  #wished: Wish | null = null;
  #wake: () => void = () => {};
  #loading: JobThread | null = null;
  #running: JobThread | null = null;
  /** What would have to be dropped for the newest version to run. */
  #droppable: readonly string[] = [];

  constructor(options: DevOptions) {
    this.#options = options;
  }

  /** Resolves when it was told to stop and has, with a last checkpoint. @throws MR_… when the job cannot run at all */
  async run(): Promise<void> {
    const { display } = this.#options;
    let { state } = this.#options;
    try {
      let isFirst = true;
      while (this.#wished?.kind !== 'stop') {
        this.#wished = null;
        const ran = await this.#reload(state, isFirst);
        if (ran) {
          isFirst = false;
          state = { ...state, fresh: false };
        }
        state = this.#wanted(state, await this.#nextWish());
      }
      display.end();
      const checkpoint = await this.#running?.stop();
      display.line(checkpoint == null ? 'Stopped.' : `Stopped with checkpoint ${checkpoint}.`);
    } finally {
      this.#watched.close();
      await this.#loading?.kill();
      await this.#running?.kill();
    }
  }

  /** A line that somebody has typed. */
  typed(line: string): void {
    const word = line.trim();
    if (word === 'fresh' || word === 'drop') this.#wish({ kind: word });
    else if (word !== '') this.#options.display.line(WORDS);
  }

  stop(): void {
    this.#wish({ kind: 'stop' });
  }

  /** Loads the job anew and runs it in place of the one before; says whether it runs. */
  async #reload(state: StateWanted, isFirst: boolean): Promise<boolean> {
    const { url, display } = this.#options;
    const next = new JobThread({
      line: (text) => display.line(text),
      status: (text) => display.status(text),
      died: (why) => {
        this.#running = null;
        display.line(`! The job's code has ended its thread: ${why}. It starts again when a file changes.`);
      },
    });
    this.#loading = next;
    const loaded = await next.load(url, await this.#options.settings);
    this.#loading = null;
    if (loaded.kind !== 'loaded') {
      if (loaded.kind === 'unusable') this.#watched.set(loaded.files);
      else if (isFirst) this.#watched.set([fileURLToPath(url)]);
      const goesOn = this.#running === null ? '' : '\nThe version before goes on.';
      const text =
        loaded.kind === 'unusable' ? loaded.text : `The job's module has ended its thread: ${loaded.why}`;
      if (this.#wished === null) display.line(`! ${text}${goesOn}`);
      await next.kill();
      return false;
    }
    this.#watched.set(loaded.files);
    await this.#running?.stop(); // DS1
    this.#running = next;
    return this.#start(next, state, isFirst);
  }

  async #start(thread: JobThread, state: StateWanted, isFirst: boolean): Promise<boolean> {
    const { display } = this.#options;
    const started = await thread.run(state);
    if (started.kind === 'running') {
      display.line(started.text);
      return true;
    }
    this.#running = null;
    await thread.kill();
    switch (started.kind) {
      case 'refused': {
        this.#droppable = started.droppable;
        const drop =
          started.droppable.length === 0
            ? ''
            : `type drop to let go of the state of ${started.droppable.join(', ')}, `;
        display.line(`${started.text}Undo the change, ${drop}or type fresh to start without any state.`);
        break;
      }
      case 'failed': {
        const { message } = started.error;
        const code = errorCode(started.error) ?? 'MR_OPS_START';
        if (isFirst) throw new MillraceError(code, message);
        display.line(`! ${code}: ${message}`);
        break;
      }
      case 'died':
        display.line(`! The job's code has ended its thread: ${started.why}`);
    }
    return false;
  }

  #wanted(state: StateWanted, wish: Wish): StateWanted {
    const { display, url } = this.#options;
    switch (wish.kind) {
      case 'changed':
        display.line(`${relative(fileURLToPath(new URL('.', url)), wish.path)} has changed.`);
        return state;
      case 'fresh':
        return { ...state, fresh: true };
      case 'drop':
        return { ...state, drop: [...state.drop, ...this.#droppable] };
      case 'stop':
        return state;
    }
  }

  async #nextWish(): Promise<Wish> {
    if (this.#wished === null) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    const wish = this.#wished as unknown as Wish;
    if (wish.kind === 'changed') await systemClock.sleep(QUIET_MS);
    return wish;
  }

  #wish(wish: Wish): void {
    if (this.#wished?.kind === 'stop') return;
    this.#wished = wish;
    void this.#loading?.kill(); // it may hang, and is out of date
    this.#wake();
  }
}

const WORDS = 'fresh: start without any state    drop: start without the state of operators that are gone';
