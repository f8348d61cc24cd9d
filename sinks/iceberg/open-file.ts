import { type ColumnBuffer, type ColumnSource, columnBuffer } from './column-buffer.ts';
import type { ParquetFileResult, ParquetThread } from './parquet-thread.ts';
import type { Partition } from './partition-router.ts';
import type { TableBinding } from './table-binding.ts';

/** Rows go to the Parquet thread in pieces of this size at most, which keeps both threads busy and buffers small. */
const CHUNK_ROWS = 16_384;

/** One data file while rows are added to it. */
export class OpenFile {
  readonly partition: Partition;
  readonly path: string;
  readonly #thread: ParquetThread;
  readonly #id: number;
  readonly #columns: readonly ColumnBuffer[];
  #rows = 0;
  #bufferedBytes = 0;

  constructor(thread: ParquetThread, table: TableBinding<unknown>, partition: Partition, path: string) {
    this.partition = partition;
    this.path = path;
    this.#thread = thread;
    this.#id = thread.newFile();
    this.#columns = table.schema.fields.map(({ type }) => columnBuffer(type));
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** Bytes on disk so far, somewhat behind. */
  get fileBytes(): number {
    return this.#thread.fileBytes(this.#id);
  }

  /** Adds rows; gives back by how much the buffered bytes changed. */
  append(columns: readonly ColumnSource[], rows: Uint32Array, from: number, to: number): number {
    const before = this.#bufferedBytes;
    for (let at = from; at < to; ) {
      const end = Math.min(to, at + CHUNK_ROWS - this.#rows);
      let bytes = 0;
      for (let c = 0; c < this.#columns.length; c++) {
        const column = this.#columns[c] as ColumnBuffer;
        column.append(columns[c] as ColumnSource, rows, at, end);
        bytes += column.bytes();
      }
      this.#rows += end - at;
      this.#bufferedBytes = bytes;
      at = end;
      if (this.#rows === CHUNK_ROWS) this.flush();
    }
    return this.#bufferedBytes - before;
  }

  /** Hands the buffered rows to the thread; gives back by how much the buffered bytes changed. */
  flush(): number {
    const before = this.#bufferedBytes;
    if (this.#rows > 0) {
      const columns = this.#columns.map((column) => column.take());
      this.#thread.write(this.#id, this.path, { rows: this.#rows, columns });
      this.#rows = 0;
      this.#bufferedBytes = 0;
    }
    return -before;
  }

  /** After a last flush. Resolves when the file is complete and synced. */
  close(): Promise<ParquetFileResult> {
    return this.#thread.close(this.#id);
  }
}
