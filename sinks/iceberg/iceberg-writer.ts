/**
 * One subtask's end of the Iceberg sink: rows → buffers per open file → Parquet thread → at a barrier, one final manifest.
 * Owns the open files and the thread; knows nothing of snapshots.
 *
 * Suspension points: `write` only when the thread is behind; `prepareCommit` after sealing.
 *
 * IW1 `prepareCommit` seals before its first await: rows written later go to new files (SW2).
 * IW2 Files and the manifest are synced before the committable exists; nothing of it is visible until a commit names it.
 * IW3 Memory is bounded: open files, buffered bytes, bytes on their way to the thread, partition values remembered.
 */
import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import type { SinkContext, SinkInput, SinkWriter } from '#engine';
import { dataFile } from './data-file.ts';
import { locationOf, pathOf, replaceFile, syncDirectory, withFileErrors } from './durable-file.ts';
import type { IcebergCommittable } from './iceberg-committable.ts';
import { incomingRows } from './incoming-rows.ts';
import { type DataFile, ENTRY_STATUS, encodeManifest } from './manifest.ts';
import { OpenFile } from './open-file.ts';
import { ParquetThread } from './parquet-thread.ts';
import { type Partition, PartitionRouter, type RoutedRows } from './partition-router.ts';
import type { TableBinding } from './table-binding.ts';

/** Files open at a time, at most; the one idle longest is closed for a new one. */
const OPEN_FILES_MAX = 256;
/** Rows buffered over all open files before the largest buffer moves to the thread. */
const BUFFERED_BYTES_MAX = 64 * 1024 * 1024;
/** Partition values remembered before all files are closed and the memory starts afresh. */
const PARTITION_VALUES_MAX = 65_536;

export class IcebergWriter<Row> implements SinkWriter<Row> {
  readonly #table: TableBinding<Row>;
  readonly #context: SinkContext;
  readonly #thread: ParquetThread;
  readonly #router: PartitionRouter;
  readonly #uuid = randomUUID();
  /** By partition id, the least recently written first. */
  readonly #open = new Map<number, OpenFile>();
  /** Files of the current seq that are closed or closing. */
  #closing: Promise<DataFile>[] = [];
  #files = 0;
  #bufferedBytes = 0;
  #rowsWritten = 0;
  #filesWritten = 0;
  #bytesWritten = 0;

  constructor(table: TableBinding<Row>, context: SinkContext) {
    this.#table = table;
    this.#context = context;
    this.#router = new PartitionRouter(table.fields);
    this.#thread = new ParquetThread({
      schema: table.icebergSchema,
      compression: table.options.compression,
      rowGroupRows: table.options.rowGroupRows,
    });
  }

  write = (input: SinkInput<Row>): void | Promise<void> => {
    const incoming = incomingRows(this.#table.schema, input, this.#context.deadLetter);
    for (const routed of this.#router.route(incoming)) {
      this.#append(routed, incoming.columns);
    }
    this.#rowsWritten += incoming.count;
    if (this.#router.size > PARTITION_VALUES_MAX) {
      this.#closeAll();
      this.#router.clear();
    }
    return this.#thread.drained();
  };

  prepareCommit = async (): Promise<IcebergCommittable | null> => {
    this.#closeAll();
    const closing = this.#closing;
    this.#closing = [];
    // IW1: everything above ran in the caller's turn.
    return withFileErrors(this.#table.name, async () => this.#stage(await Promise.all(closing)));
  };

  stats = (): Readonly<Record<string, number>> => ({
    rowsWritten: this.#rowsWritten,
    filesWritten: this.#filesWritten,
    bytesWritten: this.#bytesWritten,
    bufferedBytes: this.#bufferedBytes,
    openFiles: this.#open.size,
  });

  /** Files of a seq that was not prepared stay behind, invisible, for `removeOrphans`. */
  close = async (): Promise<void> => {
    for (const file of this.#closing) file.catch(() => undefined); // nobody awaits them any more
    this.#closing = [];
    this.#open.clear();
    await this.#thread.terminate();
  };

  #append({ partition, rows, from, to }: RoutedRows, columns: Parameters<OpenFile['append']>[0]): void {
    const file = this.#fileOf(partition);
    this.#bufferedBytes += file.append(columns, rows, from, to);
    if (file.fileBytes >= this.#table.options.targetFileBytes) this.#close(partition.id, file);
    while (this.#bufferedBytes > BUFFERED_BYTES_MAX) {
      const largest = [...this.#open.values()].reduce((a, b) => (a.bufferedBytes >= b.bufferedBytes ? a : b));
      this.#bufferedBytes += largest.flush();
    }
  }

  #fileOf(partition: Partition): OpenFile {
    const known = this.#open.get(partition.id);
    if (known !== undefined) {
      this.#open.delete(partition.id); // to the end of the order
      this.#open.set(partition.id, known);
      return known;
    }
    const [oldest] = this.#open;
    if (this.#open.size >= OPEN_FILES_MAX && oldest !== undefined) this.#close(...oldest);
    const file = new OpenFile(this.#thread, this.#table, partition, this.#nextPath(partition));
    this.#open.set(partition.id, file);
    return file;
  }

  #closeAll(): void {
    for (const [id, file] of this.#open) this.#close(id, file);
  }

  #close(id: number, file: OpenFile): void {
    this.#open.delete(id);
    this.#bufferedBytes += file.flush();
    const closed = this.#finish(file);
    closed.catch(() => undefined); // seen by prepareCommit, or by the next write as the thread's failure
    this.#closing.push(closed);
  }

  async #finish(file: OpenFile): Promise<DataFile> {
    const { icebergSchema, fields } = this.#table;
    const result = await file.close();
    this.#filesWritten++;
    this.#bytesWritten += result.bytes;
    return dataFile(locationOf(file.path), result, icebergSchema, fields, file.partition.tuple);
  }

  async #stage(files: readonly DataFile[]): Promise<IcebergCommittable | null> {
    if (files.length === 0) return null;
    for (const folder of this.#foldersOf(files)) await syncDirectory(folder);
    this.#context.killPoint('iceberg:data-written');
    const path = `${pathOf(this.#table.location)}/metadata/${randomUUID()}-m0.avro`;
    const entries = files.map((file) => ({
      status: ENTRY_STATUS.added,
      snapshot_id: null,
      sequence_number: null,
      file_sequence_number: null,
      data_file: file,
    }));
    const { bytes, summary } = await encodeManifest(locationOf(path), entries, this.#table.manifestContext);
    await replaceFile(path, bytes);
    this.#context.killPoint('iceberg:manifest-written');
    return {
      format: 1,
      manifest: summary,
      files: files.length,
      rows: files.reduce((sum, file) => sum + Number(file.record_count), 0),
      bytes: files.reduce((sum, file) => sum + Number(file.file_size_in_bytes), 0),
      partitions: new Set(files.map((file) => dirname(file.file_path))).size,
    };
  }

  /** Every folder from the files up to the table's `data`: the thread may have made any of them. */
  #foldersOf(files: readonly DataFile[]): ReadonlySet<string> {
    const root = `${pathOf(this.#table.location)}/data`;
    const folders = new Set([root]);
    for (const file of files) {
      for (let at = dirname(pathOf(file.file_path)); !folders.has(at); at = dirname(at)) folders.add(at);
    }
    return folders;
  }

  /** `<subtask>-<generation>-<uuid of this writer>-<counter>.parquet`: no two attempts ever share a name. */
  #nextPath(partition: Partition): string {
    const { subtask, generation } = this.#context;
    const name = `${pad(subtask)}-${generation}-${this.#uuid}-${pad(++this.#files)}.parquet`;
    return [pathOf(this.#table.location), 'data', partition.path, name]
      .filter((part) => part !== '')
      .join('/');
  }
}

const pad = (value: number): string => String(value).padStart(5, '0');
