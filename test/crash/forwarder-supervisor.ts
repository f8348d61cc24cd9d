import { type EdgeProcess, startForwarder } from '../support/edge-forwarder.ts';

/** `slowed`: stopped most of the time, so that little is on its way, but something. */
export type Pace = 'free' | 'slowed' | 'held';
/** Of how many looks a slowed forwarder runs one. */
const SLOWED_LOOKS = 40;

/**
 * Keeps the forwarder running until its input is delivered; kills it when the delivery has reached given shares. Its pace is
 * set by SIGSTOP and SIGCONT: incidents need records on their way.
 */
export class ForwarderSupervisor {
  readonly #args: readonly string[];
  readonly #killShares: number[];
  #process: EdgeProcess | null = null;
  #kills = 0;
  #stopping = false;
  #looks = 0;
  #stopped = false;
  /** Resolves to null when all input is delivered, else to what went wrong. */
  readonly done: Promise<string | null>;

  constructor(args: readonly string[], killShares: readonly number[]) {
    this.#args = args;
    this.#killShares = [...killShares];
    this.done = this.#run();
  }

  get kills(): number {
    return this.#kills;
  }

  get killsLeft(): number {
    return this.#killShares.length;
  }

  /** Call it often. @param share of the input that is in the log */
  tick(share: number, pace: Pace): void {
    this.#hold(pace === 'held' || (pace === 'slowed' && ++this.#looks % SLOWED_LOOKS !== 0));
    const [next] = this.#killShares;
    if (next === undefined || share < next || this.#process?.child.exitCode !== null) return;
    this.#killShares.shift();
    if (this.#process.child.kill('SIGKILL')) this.#kills++;
  }

  async kill(): Promise<void> {
    this.#stopping = true;
    this.#process?.child.kill('SIGKILL');
    await this.done;
  }

  #hold(stop: boolean): void {
    if (stop === this.#stopped) return;
    this.#stopped = stop;
    this.#process?.child.kill(stop ? 'SIGSTOP' : 'SIGCONT');
  }

  async #run(): Promise<string | null> {
    for (;;) {
      this.#process = startForwarder(this.#args);
      this.#stopped = false;
      const code = await this.#process.exited;
      if (code === 0) return null;
      if (code !== null) return `the forwarder ended with code ${code}: ${this.#process.err()}`;
      if (this.#stopping) return 'stopped';
    }
  }
}
