/**
 * The Parquet thread: encodes chunks of rows into files. Loads nothing of the engine at run time, so it starts fast.
 * One message at a time, in order (PT1); the first failure ends its usefulness and is reported.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { ParquetFile } from './parquet-file.ts';
import type { FromParquetThread, ParquetSettings, ToParquetThread } from './parquet-thread.ts';

const settings = workerData as ParquetSettings;
const port = parentPort;
const files = new Map<number, ParquetFile>();
let last: Promise<void> = Promise.resolve();

port?.on('message', (message: ToParquetThread) => {
  last = last
    .then(() => handle(message))
    .catch((error: unknown) => {
      send({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
    });
});

async function handle(message: ToParquetThread): Promise<void> {
  if (message.kind === 'rows') {
    const file = files.get(message.file) ?? (await open(message.file, message.path));
    await file.write(message.chunk);
    send({ kind: 'taken', file: message.file, bytes: message.bytes, fileBytes: file.bytes });
    return;
  }
  const file = files.get(message.file);
  if (file === undefined) throw new Error(`file ${message.file} is not open`);
  files.delete(message.file);
  send({ kind: 'closed', file: message.file, result: await file.close() });
}

async function open(id: number, path: string): Promise<ParquetFile> {
  const file = await ParquetFile.create(path, settings);
  files.set(id, file);
  return file;
}

function send(message: FromParquetThread): void {
  port?.postMessage(message);
}
