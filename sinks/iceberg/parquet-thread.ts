/**
 * The main thread's end of the Parquet thread: hands over chunks of rows, gets back finished files. Owns the worker and
 * the count of bytes under way; the worker owns the files until they are closed.
 *
 * Suspension points: `drained` (backpressure), the promise of `close`.
 *
 * PT1 Messages are handled in the order they were sent.
 * PT2 Bytes under way return to 0 when the worker has taken every chunk.
 * PT3 After a failure every promise rejects with it and every call throws it: no chunk is silently dropped.
 */
import { Worker } from 'node:worker_threads';
import { errorText, MillraceError } from '#engine';
import { chunkBuffers, chunkBytes, type RowChunk } from './row-chunk.ts';
import type { IcebergSchema } from './table-schema.ts';

/** What the worker is started with. */
export interface ParquetSettings {
  readonly schema: IcebergSchema;
  readonly compression: 'zstd' | 'snappy';
  readonly rowGroupRows: number;
}

export type ToParquetThread =
  | {
      readonly kind: 'rows';
      readonly file: number;
      readonly path: string;
      readonly chunk: RowChunk;
      readonly bytes: number;
    }
  | { readonly kind: 'close'; readonly file: number };

export type FromParquetThread =
  | {
      readonly kind: 'taken';
      readonly file: number;
      readonly bytes: number /** written to the file so far */;
      readonly fileBytes: number;
    }
  | { readonly kind: 'closed'; readonly file: number; readonly result: ParquetFileResult }
  | { readonly kind: 'failed'; readonly message: string };

/** A finished, durable file. */
export interface ParquetFileResult {
  readonly bytes: number;
  readonly rows: number;
  /** In schema order. */
  readonly columns: readonly ColumnMetrics[];
  /** Where each row group starts. */
  readonly splitOffsets: readonly number[];
}

/** Of one column over a whole file; `min` and `max` are absent where nothing can be said. Text and binary come as bytes. */
export interface ColumnMetrics {
  readonly bytes: number;
  readonly values: number;
  readonly nulls: number;
  readonly nans: number;
  readonly min?: boolean | number | bigint | Uint8Array;
  readonly max?: boolean | number | bigint | Uint8Array;
}

/** Chunks handed over and not yet taken, at most; `drained` waits above it. */
const BYTES_IN_FLIGHT_MAX = 32 * 1024 * 1024;

interface Waiter {
  readonly resolve: (result: ParquetFileResult) => void;
  readonly reject: (error: MillraceError) => void;
}

export class ParquetThread {
  readonly #worker: Worker;
  readonly #closing = new Map<number, Waiter>();
  readonly #fileBytes = new Map<number, number>();
  #bytesInFlight = 0;
  #files = 0;
  #drained: PromiseWithResolvers<void> | null = null;
  #failure: MillraceError | null = null;

  constructor(settings: ParquetSettings) {
    this.#worker = new Worker(new URL('./parquet-worker.ts', import.meta.url), {
      workerData: settings,
      name: 'parquet',
    });
    this.#worker.on('message', (message: FromParquetThread) => this.#receive(message));
    this.#worker.on('error', (error) => this.#fail(errorText(error)));
    this.#worker.on('exit', () => this.#fail('it has ended'));
  }

  /** A number for a new file. The file itself appears with its first chunk. */
  newFile(): number {
    return this.#files++;
  }

  /** Hands a chunk over; its arrays must not be used after. */
  write(file: number, path: string, chunk: RowChunk): void {
    if (this.#failure !== null) throw this.#failure;
    const bytes = chunkBytes(chunk);
    this.#bytesInFlight += bytes;
    this.#post({ kind: 'rows', file, path, chunk, bytes }, chunkBuffers(chunk));
  }

  /** Resolves when the file is complete and synced. */
  close(file: number): Promise<ParquetFileResult> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<ParquetFileResult>();
    this.#closing.set(file, { resolve, reject });
    this.#fileBytes.delete(file);
    this.#post({ kind: 'close', file }, []);
    return promise;
  }

  /** Bytes of the file on disk, as far as the worker has told. */
  fileBytes(file: number): number {
    return this.#fileBytes.get(file) ?? 0;
  }

  /** Undefined while there is room, else a promise of it. */
  drained(): Promise<void> | undefined {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#bytesInFlight <= BYTES_IN_FLIGHT_MAX) return undefined;
    this.#drained ??= Promise.withResolvers();
    return this.#drained.promise;
  }

  async terminate(): Promise<void> {
    this.#fail('the sink was closed');
    await this.#worker.terminate();
  }

  #post(message: ToParquetThread, transfer: ArrayBuffer[]): void {
    this.#worker.postMessage(message, transfer);
  }

  #receive(message: FromParquetThread): void {
    switch (message.kind) {
      case 'taken':
        this.#bytesInFlight -= message.bytes;
        if (!this.#closing.has(message.file)) this.#fileBytes.set(message.file, message.fileBytes);
        if (this.#bytesInFlight <= BYTES_IN_FLIGHT_MAX) this.#releaseDrained();
        return;
      case 'closed':
        this.#closing.get(message.file)?.resolve(message.result);
        this.#closing.delete(message.file);
        return;
      case 'failed':
        this.#fail(message.message);
    }
  }

  #releaseDrained(): void {
    this.#drained?.resolve();
    this.#drained = null;
  }

  #fail(why: string): void {
    if (this.#failure !== null) return;
    this.#failure = new MillraceError(
      'MR_SINK_FAILED',
      `The Parquet thread stopped: ${why}. Check space and permissions of the warehouse; the job restarts from its last checkpoint.`,
    );
    for (const waiter of this.#closing.values()) waiter.reject(this.#failure);
    this.#closing.clear();
    this.#drained?.reject(this.#failure);
    this.#drained = null;
  }
}
