/**
 * A catalog that is the table's own folder: `metadata/v<N>.metadata.json`, each version created only if absent. It owns the
 * metadata files and `version-hint.text`, nothing else. Stateless: every fact is on disk.
 *
 * FC1 A version is won by creating its file; nobody replaces one.
 * FC2 The head is the highest version in the folder listing. `version-hint.text` is for other readers and never believed here.
 * FC3 Old versions are deleted, so a writer that slept can create a version below the head; it looks again after creating
 *     and takes its file back. Heads are never deleted, so it cannot fail to see a higher one.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { createIfAbsent, locationOf, makeDirectory, pathOf, replaceHint } from './durable-file.ts';
import { parseJson64, stringifyJson64 } from './json64.ts';
import {
  applyUpdates,
  brokenRequirement,
  type TableMetadata,
  type TableRequirement,
  type TableUpdate,
} from './table-metadata.ts';
import { MillraceError } from '#engine';

export interface FileCatalog {
  /** `file:///…` of the table's folder. */
  readonly location: string;
  /** The head, or null when there is no table. @throws MR_TABLE_CORRUPT */
  readonly load: () => Promise<LoadedTable | null>;
  /** Creates the table; `conflict` when one is there. */
  readonly create: (metadata: TableMetadata) => Promise<CommitOutcome>;
  /** Applies updates to `base` and makes the result the head, if `base` still is. */
  readonly commit: (
    base: LoadedTable,
    requirements: readonly TableRequirement[],
    updates: readonly TableUpdate[],
  ) => Promise<CommitOutcome>;
}

export interface LoadedTable {
  readonly version: number;
  readonly metadataLocation: string;
  readonly metadata: TableMetadata;
}

type CommitOutcome =
  | { readonly kind: 'committed'; readonly table: LoadedTable }
  /** Somebody else moved the table: load it again, and look whether the own change is in it, before trying again. */
  | { readonly kind: 'conflict'; readonly reason: string };

const VERSION_FILE = /^v(\d+)\.metadata\.json$/;
/** A listed head can be deleted by others before it is read; each look then finds a newer one. */
const LOOKS_MAX = 20;
const PREVIOUS_VERSIONS_DEFAULT = 20;

export function fileCatalog(location: string): FileCatalog {
  const folder = `${pathOf(location)}/metadata`;
  return {
    location,
    load: () => loadHead(folder),
    create: async (metadata) => {
      await makeDirectory(folder);
      const version = 1;
      if ((await headVersion(folder)) > 0) return { kind: 'conflict', reason: 'the table exists' };
      return publish(folder, version, metadata, []);
    },
    commit: async (base, requirements, updates) => {
      const broken = brokenRequirement(base.metadata, requirements);
      if (broken !== null) return { kind: 'conflict', reason: broken };
      const { metadata, dropped } = logPrevious(applyUpdates(base.metadata, updates), base);
      return publish(folder, base.version + 1, metadata, dropped);
    },
  };
}

async function loadHead(folder: string): Promise<LoadedTable | null> {
  for (let look = 0; look < LOOKS_MAX; look++) {
    const version = await headVersion(folder);
    if (version === 0) return null;
    const path = versionPath(folder, version);
    try {
      return {
        version,
        metadataLocation: locationOf(path),
        metadata: parseMetadata(await readFile(path, 'utf8'), path),
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new MillraceError(
    'MR_TABLE_CORRUPT',
    `${folder} lists metadata versions that cannot be opened; check the folder.`,
  );
}

async function publish(
  folder: string,
  version: number,
  metadata: TableMetadata,
  dropped: readonly string[],
): Promise<CommitOutcome> {
  const path = versionPath(folder, version);
  if (!(await createIfAbsent(path, Buffer.from(stringifyJson64(metadata))))) {
    return { kind: 'conflict', reason: `version ${version} is taken` };
  }
  const newest = await headVersion(folder);
  if (newest > version) {
    const log = (await loadHead(folder))?.metadata['metadata-log'] ?? [];
    const isHistory = log.some((entry) => entry['metadata-file'] === locationOf(path));
    if (!isHistory) await rm(path, { force: true }); // FC3
    return { kind: 'conflict', reason: `version ${version} was overtaken by ${newest}` };
  }
  await tidy(folder, version, dropped);
  return { kind: 'committed', table: { version, metadataLocation: locationOf(path), metadata } };
}

/** The table has moved already, so nothing here may fail the commit; the next one repairs the hint. */
async function tidy(folder: string, version: number, dropped: readonly string[]): Promise<void> {
  await replaceHint(`${folder}/version-hint.text`, String(version)).catch(() => undefined);
  for (const file of dropped) await rm(pathOf(file), { force: true }).catch(() => undefined);
}

/** Notes the replaced version in the metadata log; gives back the files that fall out of it. */
function logPrevious(
  metadata: TableMetadata,
  base: LoadedTable,
): { metadata: TableMetadata; dropped: readonly string[] } {
  const entry = { 'timestamp-ms': base.metadata['last-updated-ms'], 'metadata-file': base.metadataLocation };
  const log = [...(metadata['metadata-log'] ?? []), entry];
  const properties = metadata.properties ?? {};
  const kept = Math.max(
    1,
    Number(properties['write.metadata.previous-versions-max'] ?? PREVIOUS_VERSIONS_DEFAULT),
  );
  const old = log.splice(0, Math.max(0, log.length - kept));
  const deletes = properties['write.metadata.delete-after-commit.enabled'] !== 'false';
  return {
    metadata: { ...metadata, 'metadata-log': log },
    dropped: deletes ? old.map((it) => it['metadata-file']) : [],
  };
}

async function headVersion(folder: string): Promise<number> {
  let head = 0;
  for (const name of await listNames(folder)) {
    const match = VERSION_FILE.exec(name);
    if (match !== null) head = Math.max(head, Number(match[1]));
  }
  return head;
}

async function listNames(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function parseMetadata(text: string, path: string): TableMetadata {
  try {
    return parseJson64(text) as TableMetadata;
  } catch (cause) {
    throw new MillraceError(
      'MR_TABLE_CORRUPT',
      `${path} is not JSON; restore it or go back to the version before it.`,
      { cause },
    );
  }
}

function versionPath(folder: string, version: number): string {
  return `${folder}/v${version}.metadata.json`;
}
