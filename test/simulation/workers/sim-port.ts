import type { SimKernel } from '../kernel.ts';
import type { SimProcess } from '../process.ts';

/** One end of a message channel between two threads of one process. */
export interface SimPort<Out, In> {
  readonly post: (message: Out) => void;
  readonly listen: (arrived: (message: In) => void) => void;
}

/** Two ends. Messages arrive as copies, in order, in turns of their own; those to a thread that has died are lost. */
export function simPorts<A, B>(
  kernel: SimKernel,
  one: SimProcess,
  other: SimProcess,
): [SimPort<A, B>, SimPort<B, A>] {
  const toOne = new Lane<B>(kernel, other, one);
  const toOther = new Lane<A>(kernel, one, other);
  return [
    { post: (message) => toOther.post(message), listen: (arrived) => toOne.listen(arrived) },
    { post: (message) => toOne.post(message), listen: (arrived) => toOther.listen(arrived) },
  ];
}

class Lane<T> {
  readonly #kernel: SimKernel;
  readonly #from: SimProcess;
  readonly #to: SimProcess;
  readonly #early: T[] = [];
  #arrived: ((message: T) => void) | null = null;
  #lastMs = 0;

  constructor(kernel: SimKernel, from: SimProcess, to: SimProcess) {
    this.#kernel = kernel;
    this.#from = from;
    this.#to = to;
  }

  post(message: T): void {
    if (this.#from.state === 'dead' || this.#to.state === 'dead') return;
    const copy = structuredClone(message);
    const { nowMs } = this.#kernel;
    this.#lastMs = Math.max(this.#lastMs + GAP_MS, nowMs + this.#from.spentMs + TRANSIT_MS);
    this.#kernel.schedule(this.#lastMs - nowMs, this.#to, 'message', () => this.#take(copy));
  }

  listen(arrived: (message: T) => void): void {
    this.#arrived = arrived;
    for (const message of this.#early.splice(0)) arrived(message);
  }

  #take(message: T): void {
    if (this.#arrived === null) this.#early.push(message);
    else this.#arrived(message);
  }
}

const TRANSIT_MS = 0.02;
const GAP_MS = 0.001;
