import { offset } from '../base/brand.ts';
import { nextChain } from './chain.ts';
import { rolledBack } from './log-error.ts';
import { entryAt, type MemoryEntry, type MemoryPartition } from './memory-partition.ts';
import type { LogReader, Position, ReaderOptions, StoredFrame } from './partition-log.ts';
import { positionFailure } from './position-check.ts';

/** Where the reader looks and hears of appends. */
export interface MemoryReaderSource {
  readonly partition: (partition: number) => MemoryPartition | undefined;
  /** Calls back after every change; returns the way to stop that. */
  readonly onChange: (callback: () => void) => () => void;
}

/**
 * A reader that looks straight into the partitions, so nothing waits ahead and every look at a head is a new one. It accepts a
 * frame only where offset and chain are those of its position, as the Redis reader does.
 */
export class MemoryLogReader implements LogReader {
  readonly #topic: string;
  readonly #source: MemoryReaderSource;
  readonly #positions: Map<number, Position>;
  readonly #order: readonly number[];
  readonly #paused = new Set<number>();
  readonly #stopListening: () => void;
  #turn = 0;
  #failure: Error | null = null;
  #closed = false;
  #signal: PromiseWithResolvers<void> | null = null;

  constructor({ topic, positions }: ReaderOptions, source: MemoryReaderSource) {
    this.#topic = topic;
    this.#source = source;
    this.#positions = new Map(positions);
    this.#order = [...positions.keys()];
    this.#stopListening = source.onChange(() => this.#wake());
  }

  get failure(): Error | null {
    for (const partition of this.#order) this.#failure ??= this.#check(partition);
    return this.#failure;
  }

  take(): StoredFrame | null {
    if (this.#closed || this.failure !== null) return null;
    for (let looked = 0; looked < this.#order.length; looked++) {
      const partition = this.#order[this.#turn] as number;
      this.#turn = (this.#turn + 1) % this.#order.length;
      const entry = this.#paused.has(partition) ? null : this.#next(partition);
      if (entry !== null) return this.#give(partition, entry);
    }
    return null;
  }

  pause(partition: number, paused: boolean): void {
    if (paused) this.#paused.add(partition);
    else if (this.#paused.delete(partition)) this.#wake();
  }

  ready(): Promise<void> {
    const has = this.#order.some(
      (partition) => !this.#paused.has(partition) && this.#next(partition) !== null,
    );
    if (has || this.failure !== null) return Promise.resolve();
    this.#signal ??= Promise.withResolvers();
    return this.#signal.promise;
  }

  atHead(partition: number): boolean {
    return this.#positions.has(partition) && this.failure === null && this.#next(partition) === null;
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#stopListening();
    this.#wake();
    return Promise.resolve();
  }

  #give(partition: number, entry: MemoryEntry): StoredFrame {
    const next = { offset: offset(entry.offset + entry.records), chain: nextChain(entry.chain, entry.crc) };
    this.#positions.set(partition, next);
    return { partition, offset: entry.offset, next, bytes: entry.frame };
  }

  #next(partition: number): MemoryEntry | null {
    const found = this.#source.partition(partition);
    return found === undefined ? null : entryAt(found, (this.#positions.get(partition) as Position).offset);
  }

  #check(partition: number): Error | null {
    const at = this.#positions.get(partition) as Position;
    const found = this.#source.partition(partition);
    const failure = positionFailure(this.#topic, partition, at, found ?? null);
    if (failure !== null || found === undefined || at.offset === found.end) return failure;
    const entry = entryAt(found, at.offset);
    if (entry?.chain === at.chain) return null;
    return rolledBack(
      this.#topic,
      partition,
      at,
      entry === null ? 'no frame starts there' : `the chain there is '${entry.chain}'`,
    );
  }

  #wake(): void {
    this.#signal?.resolve();
    this.#signal = null;
  }
}
