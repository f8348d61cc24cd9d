/** An input whose result has not left yet. */
export interface PendingInput {
  readonly kind: 'input';
  readonly row: unknown;
  readonly time: number;
  state: 'open' | 'done' | 'failed';
  result: unknown;
  /** Unordered: the stretch between two watermarks that it came in. */
  stretch: Stretch | null;
}

/** An input that nobody has answered yet, in no queue. */
export function pendingInput(row: unknown, time: number): PendingInput {
  return { kind: 'input', row, time, state: 'open', result: undefined, stretch: null };
}

/** A watermark that waits for the results before it. */
export interface PendingWatermark {
  readonly kind: 'watermark';
  time: number;
}

/** Pending inputs and watermarks, and the order in which they leave. */
export interface ResultQueue {
  /** Inputs in it. */
  readonly size: number;
  /** True when a result that is there at once may leave without entering the queue. */
  readonly open: boolean;
  readonly add: (input: PendingInput) => void;
  readonly settled: (input: PendingInput) => void;
  readonly addWatermark: (time: number) => void;
  /** Takes what may leave next, or null. */
  readonly take: () => PendingInput | PendingWatermark | null;
  /** In order of arrival. */
  readonly inputs: () => PendingInput[];
}

/** Everything leaves in the order it came. */
export class OrderedQueue implements ResultQueue {
  #entries: (PendingInput | PendingWatermark)[] = [];
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get open(): boolean {
    return this.#head === this.#entries.length;
  }

  add(input: PendingInput): void {
    this.#entries.push(input);
    this.#size++;
  }

  settled(): void {}

  addWatermark(time: number): void {
    const last = this.open ? undefined : this.#entries.at(-1);
    if (last?.kind === 'watermark') last.time = Math.max(last.time, time);
    else this.#entries.push({ kind: 'watermark', time });
  }

  take(): PendingInput | PendingWatermark | null {
    const entry = this.#entries[this.#head];
    if (entry === undefined || (entry.kind === 'input' && entry.state === 'open')) return null;
    if (entry.kind === 'input') this.#size--;
    this.#head++;
    if (this.#head === this.#entries.length || this.#head >= 1024) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  inputs(): PendingInput[] {
    return this.#entries.slice(this.#head).filter((entry) => entry.kind === 'input');
  }
}

/** The inputs between two watermarks. */
interface Stretch {
  readonly inputs: Set<PendingInput>;
  settled: PendingInput[];
  /** The watermark that ends it; null for the newest, which is open. */
  end: PendingWatermark | null;
}

/** Results leave as they come, but never past a watermark, in either direction. */
export class UnorderedQueue implements ResultQueue {
  readonly #stretches: Stretch[] = [stretch()];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get open(): boolean {
    return this.#stretches.length === 1;
  }

  add(input: PendingInput): void {
    const newest = this.#stretches.at(-1) as Stretch;
    newest.inputs.add(input);
    input.stretch = newest;
    if (input.state !== 'open') newest.settled.push(input);
    this.#size++;
  }

  settled(input: PendingInput): void {
    input.stretch?.settled.push(input);
  }

  addWatermark(time: number): void {
    const newest = this.#stretches.at(-1) as Stretch;
    const before = this.#stretches.at(-2)?.end ?? null;
    if (newest.inputs.size === 0 && before !== null) {
      before.time = Math.max(before.time, time);
      return;
    }
    newest.end = { kind: 'watermark', time };
    this.#stretches.push(stretch());
  }

  take(): PendingInput | PendingWatermark | null {
    const front = this.#stretches[0] as Stretch;
    const input = front.settled.shift();
    if (input !== undefined) {
      front.inputs.delete(input);
      input.stretch = null;
      this.#size--;
      return input;
    }
    if (front.inputs.size > 0 || front.end === null) return null;
    this.#stretches.shift();
    return front.end;
  }

  inputs(): PendingInput[] {
    return this.#stretches.flatMap(({ inputs }) => [...inputs]);
  }
}

function stretch(): Stretch {
  return { inputs: new Set(), settled: [], end: null };
}
