import { errorCode, errorText } from '#engine';
import type { SimKernel } from './kernel.ts';
import { SimProcess } from './process.ts';

/**
 * A process that a supervisor keeps going: started again some time after it has ended or died, and replaced by another one when it has
 * been frozen for long, which leaves a zombie for when it thaws.
 */
export class SimRole {
  readonly name: string;
  /** How its processes have ended, except by being killed: error code or `ended`. */
  readonly exits: string[] = [];
  readonly #kernel: SimKernel;
  readonly #main: (process: SimProcess) => Promise<void>;
  readonly #skewMs: () => number;
  readonly #random: () => number;
  readonly #all: SimProcess[] = [];
  #current: SimProcess | null = null;

  constructor(kernel: SimKernel, name: string, main: (process: SimProcess) => Promise<void>) {
    this.#kernel = kernel;
    this.name = name;
    this.#main = main;
    this.#random = kernel.random(`role ${name}`);
    this.#skewMs = () => (this.#random() - 0.5) * (this.#random() < 0.2 ? 4_000 : 40);
    this.#start();
  }

  /** The process that the supervisor believes in. */
  get current(): SimProcess | null {
    return this.#current;
  }

  /** Every process that is not dead, zombies included. */
  get processes(): readonly SimProcess[] {
    return this.#all.filter(({ state }) => state !== 'dead');
  }

  kill(downMs: number): void {
    this.#over(this.#current, downMs);
  }

  /** A process ends itself, or is ended where it stands. */
  end(process: SimProcess, downMs: number): void {
    this.#over(process, downMs);
  }

  freeze(forMs: number): void {
    const process = this.#current;
    if (process === null || process.state !== 'alive') return;
    process.freeze();
    this.#kernel.schedule(forMs, null, `thaw ${process.name}`, () => process.thaw());
    if (forMs > PATIENCE_MS)
      this.#kernel.schedule(PATIENCE_MS, null, `replace ${process.name}`, () => {
        if (this.#current === process) this.#start();
      });
  }

  #over(process: SimProcess | null, downMs: number): void {
    if (process === null) return;
    process.kill();
    if (this.#current !== process) return;
    this.#current = null;
    this.#kernel.schedule(downMs, null, `restart ${this.name}`, () => {
      if (this.#current === null) this.#start();
    });
  }

  #start(): void {
    const process = new SimProcess(this.#kernel, `${this.name}/${this.#all.length + 1}`, {
      role: this.name,
      skewMs: this.#skewMs(),
      slowTurnShare: this.#random() < 0.5 ? 0.01 : 0,
    });
    this.#all.push(process);
    this.#current = process;
    process.start('main', async () => {
      const how = await this.#main(process).then(
        () => 'ended',
        (error: unknown) => `${errorCode(error) ?? 'UNKNOWN'} ${errorText(error)}`,
      );
      if (process.state === 'dead') return;
      this.#kernel.note(`${process.name} exits: ${how}`);
      this.exits.push(how);
      this.#over(process, 100 + this.#random() * 900);
    });
  }
}

/** How long a supervisor waits for a frozen process. */
const PATIENCE_MS = 3_000;
