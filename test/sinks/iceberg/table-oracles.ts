import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { icebergMetadata, icebergRead } from 'icebird';
import { pathOf } from '../../../sinks/iceberg/durable-file.ts';
import { fileCatalog, type LoadedTable } from '../../../sinks/iceberg/file-catalog.ts';
import {
  decodeManifest,
  ENTRY_STATUS,
  type ManifestEntry,
  type ManifestFile,
} from '../../../sinks/iceberg/manifest.ts';
import { tableLocation } from '../../../sinks/iceberg/table-binding.ts';
import { loadTable, manifestsOf } from '../../../sinks/iceberg/table-commit.ts';
import { currentSnapshot } from '../../../sinks/iceberg/table-metadata.ts';

export function load(warehouse: string, table: string): Promise<LoadedTable> {
  return loadTable(fileCatalog(tableLocation(warehouse, table)));
}

/** Live entries of the current snapshot. */
export async function liveEntries(warehouse: string, table: string): Promise<readonly ManifestEntry[]> {
  const entries: ManifestEntry[] = [];
  for (const manifest of await liveManifests(warehouse, table)) {
    entries.push(...(await decodeManifest(await readFile(pathOf(manifest.manifest_path)), manifest)));
  }
  return entries.filter((entry) => entry.status !== ENTRY_STATUS.deleted);
}

export async function liveManifests(warehouse: string, table: string): Promise<readonly ManifestFile[]> {
  const { metadata } = await load(warehouse, table);
  return manifestsOf(currentSnapshot(metadata));
}

/** Rows of the current snapshot by DuckDB: `select` over the live files as `lake`. */
export async function duckdb(
  warehouse: string,
  table: string,
  select: string,
): Promise<readonly Record<string, unknown>[]> {
  const files = (await liveEntries(warehouse, table)).map(
    (entry) => `'${pathOf(entry.data_file.file_path)}'`,
  );
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    const from = `read_parquet([${files.join(', ')}], hive_partitioning = false)`;
    const reader = await connection.runAndReadAll(`WITH lake AS (SELECT * FROM ${from}) ${select}`);
    return reader.getRowObjects();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Rows of the current snapshot by icebird, an Iceberg reader of other people's making. */
export async function icebird(warehouse: string, table: string): Promise<readonly Record<string, unknown>[]> {
  const tableUrl = tableLocation(warehouse, table);
  const systemFetch = globalThis.fetch;
  globalThis.fetch = fetchFile;
  try {
    const metadata = await icebergMetadata({ tableUrl });
    return (await icebergRead({ tableUrl, metadata })) as Record<string, unknown>[];
  } finally {
    globalThis.fetch = systemFetch;
  }
}

/** Paths and sizes below a folder, without files that go while one looks. */
export async function listFiles(folder: string): Promise<ReadonlyMap<string, number>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = new Map<string, number>();
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const found = await stat(path).catch(() => null);
    if (found !== null) files.set(path, found.size);
  }
  return files;
}

/** fetch for `file://` locations, which icebird reads through fetch with ranges. */
async function fetchFile(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const path = pathOf(typeof input === 'string' ? input : input instanceof URL ? input.href : input.url);
  const bytes = await readFile(path).catch(() => null);
  if (bytes === null) return new Response(null, { status: 404 });
  const range = /bytes=(\d*)-(\d*)/.exec(new Headers(init?.headers).get('range') ?? '');
  if (init?.method === 'HEAD')
    return new Response(null, { headers: { 'content-length': String(bytes.length) } });
  if (range === null) return new Response(new Uint8Array(bytes));
  const [, from = '', to = ''] = range;
  const start = from === '' ? bytes.length - Number(to) : Number(from);
  const end = from !== '' && to !== '' ? Number(to) + 1 : bytes.length;
  return new Response(new Uint8Array(bytes.subarray(start, end)), { status: 206 });
}
