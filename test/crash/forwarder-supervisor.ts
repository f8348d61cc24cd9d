import { type EdgeProcess, startForwarder } from '../support/edge-forwarder.ts';

/** Keeps the forwarder running until its input is delivered; kills it when the delivery has reached given shares. */
export class ForwarderSupervisor {
  readonly #args: readonly string[];
  readonly #killShares: number[];
  #process: EdgeProcess | null = null;
  #kills = 0;
  #stopping = false;
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
  tick(share: number): void {
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

  async #run(): Promise<string | null> {
    for (;;) {
      this.#process = startForwarder(this.#args);
      const code = await this.#process.exited;
      if (code === 0) return null;
      if (code !== null) return `the forwarder ended with code ${code}: ${this.#process.err()}`;
      if (this.#stopping) return 'stopped';
    }
  }
}
