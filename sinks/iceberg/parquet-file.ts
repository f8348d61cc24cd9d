/**
 * One Parquet file being written, inside the Parquet thread: chunks → Arrow → parquet-wasm's stream → disk. Memory is one
 * row group, however large the file grows: parquet-wasm gathers chunks up to `rowGroupRows` and then gives out bytes.
 *
 * Suspension points: `create` (open), `write` (until the encoder has taken the chunk), `close` (last bytes, sync).
 */
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import parquet from 'parquet-wasm/node';
import { arrowIpc, countNans } from './arrow-columns.ts';
import { fileMetrics } from './parquet-metrics.ts';
import type { ParquetFileResult, ParquetSettings } from './parquet-thread.ts';
import type { RowChunk } from './row-chunk.ts';

/** A dictionary page that outgrows this makes the encoder fall back to plain values. */
const DICTIONARY_BYTES_MAX = 256 * 1024;

export class ParquetFile {
  readonly #handle: FileHandle;
  readonly #settings: ParquetSettings;
  readonly #nans: number[];
  readonly #drain: Promise<void>;
  #input: ReadableStreamDefaultController<unknown> | null = null;
  #wanted: PromiseWithResolvers<void> = Promise.withResolvers();
  #bytes = 0;
  #rows = 0;

  static async create(path: string, settings: ParquetSettings): Promise<ParquetFile> {
    await mkdir(dirname(path), { recursive: true });
    return new ParquetFile(await open(path, 'wx+'), settings);
  }

  private constructor(handle: FileHandle, settings: ParquetSettings) {
    this.#handle = handle;
    this.#settings = settings;
    this.#nans = settings.schema.fields.map(() => 0);
    this.#drain = this.#run();
    this.#drain.catch((error: unknown) => this.#wanted.reject(error)); // a waiting write must not wait for ever
    this.#wanted.promise.catch(() => undefined);
  }

  /** Bytes on disk so far: those of completed row groups. */
  get bytes(): number {
    return this.#bytes;
  }

  async write(chunk: RowChunk): Promise<void> {
    await this.#wanted.promise;
    this.#wanted = Promise.withResolvers();
    this.#wanted.promise.catch(() => undefined);
    countNans(chunk, this.#nans);
    const table = parquet.Table.fromIPCStream(arrowIpc(chunk, this.#settings.schema));
    for (const batch of table.recordBatches()) this.#input?.enqueue(batch);
    table.free();
    this.#rows += chunk.rows;
    await this.#wanted.promise;
  }

  async close(): Promise<ParquetFileResult> {
    this.#input?.close();
    await this.#drain;
    await this.#handle.sync();
    const metrics = await fileMetrics(this.#handle, this.#bytes, this.#nans);
    await this.#handle.close();
    return { bytes: this.#bytes, rows: this.#rows, ...metrics };
  }

  async #run(): Promise<void> {
    const source = new ReadableStream(
      {
        start: (controller) => {
          this.#input = controller;
        },
        pull: () => this.#wanted.resolve(),
      },
      { highWaterMark: 0 },
    );
    const output = await parquet.transformParquetStream(source, writerProperties(this.#settings));
    for await (const part of output as AsyncIterable<Uint8Array>) {
      await this.#handle.write(part);
      this.#bytes += part.length;
    }
  }
}

function writerProperties({ schema, compression, rowGroupRows }: ParquetSettings) {
  const codec = { zstd: parquet.Compression.ZSTD, snappy: parquet.Compression.SNAPPY }[compression];
  let builder = new parquet.WriterPropertiesBuilder()
    .setCompression(codec)
    .setMaxRowGroupSize(rowGroupRows)
    .setDictionaryPageSizeLimit(DICTIONARY_BYTES_MAX)
    .setCreatedBy('millrace')
    .setKeyValueMetadata(new Map([['iceberg.schema', JSON.stringify(schema)]]));
  for (const { name, type } of schema.fields) {
    // Nearly every value differs, and a dictionary that is given up costs 20 % of the column.
    if (type === 'timestamptz' || type === 'long') builder = builder.setColumnDictionaryEnabled(name, false);
  }
  return builder.build();
}
