import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { errorText, MillraceError } from '#wire';

const FILE = 'outbox.db';
const PAGE_BYTES = 4_096;
/** SQLite's primary result codes (the low byte of an extended code). */
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;
const SYNCHRONOUS_FULL = 2;
const LAYOUT_VERSION = 1;
/** Pages beyond the cap, so that at the cap lanes, counters and deletes can still be written. */
const RESERVED_PAGES = 64;
/** The write-ahead log is cut back to this size after a checkpoint. */
const WAL_BYTES_MAX = 8 * 1024 * 1024;

const TABLES = `
  CREATE TABLE frame (
    id INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    bytes BLOB NOT NULL
  );
  CREATE UNIQUE INDEX frame_order ON frame (partition, first);
  CREATE TABLE lane (
    partition INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    gap_from INTEGER NOT NULL,
    confirmed_to INTEGER NOT NULL,
    next INTEGER NOT NULL
  );
  CREATE TABLE input (name TEXT PRIMARY KEY, origin TEXT NOT NULL, position INTEGER NOT NULL);
  CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
  PRAGMA user_version = ${LAYOUT_VERSION};
`;

export interface OpenedDatabase {
  readonly database: DatabaseSync;
  /** Where a damaged predecessor was moved to, or null. */
  readonly quarantined: string | null;
}

/**
 * Opens the outbox file in `directory`, creating it when there is none. A damaged file is moved aside, never deleted,
 * and a fresh one takes its place. The file is locked for this process until it is closed or the process dies.
 * @param bytesMax cap of the file, to which a few pages for bookkeeping are added
 * @throws MR_EDGE_OUTBOX when another process has it open, or a setting that durability rests on did not hold.
 */
export function openOutboxDatabase(directory: string, bytesMax: number): OpenedDatabase {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, FILE);
  try {
    return { database: openChecked(path, bytesMax), quarantined: null };
  } catch (error) {
    if (!isDamaged(error)) throw error;
    const quarantined = quarantine(path);
    return { database: openChecked(path, bytesMax), quarantined };
  }
}

/** Pages that a row of `bytes` takes at most. */
export function pagesOf(bytes: number): number {
  return Math.ceil(bytes / (PAGE_BYTES - 4)) + 1;
}

/** What a frame takes of a store's bytes: a small one takes its pages all the same. */
export function storedBytes(bytes: number): number {
  return pagesOf(bytes) * PAGE_BYTES;
}

/** True when the store, or the disk under it, has no room. */
export function isFull(error: unknown): boolean {
  return sqliteCode(error) === SQLITE_FULL;
}

function isDamaged(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

function openChecked(path: string, bytesMax: number): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    configure(database, bytesMax);
    const [check] = database.prepare('PRAGMA quick_check(1)').all();
    if (check?.['quick_check'] !== 'ok') throw damaged(String(check?.['quick_check']));
    createTables(database, path);
    return database;
  } catch (error) {
    database.close();
    if (sqliteCode(error) !== SQLITE_BUSY) throw error;
    throw new MillraceError(
      'MR_EDGE_OUTBOX',
      `The outbox ${path} is in use by another forwarder. Stop that one, or give this one another --outbox.`,
      { cause: error },
    );
  }
}

/**
 * `auto_vacuum` only counts before the first table. An exclusive lock keeps a second forwarder from using the same
 * sequences. `synchronous` is read back because SQLite builds differ in what a re-opened WAL file starts with: some
 * fall to NORMAL, which loses committed rows at a power cut.
 */
function configure(database: DatabaseSync, bytesMax: number): void {
  database.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL`);
  database.exec('PRAGMA locking_mode = EXCLUSIVE');
  const mode = pragma(database, 'journal_mode = WAL');
  database.exec('PRAGMA synchronous = FULL');
  database.exec(`PRAGMA journal_size_limit = ${WAL_BYTES_MAX}`);
  database.exec(`PRAGMA max_page_count = ${pagesOf(bytesMax) + RESERVED_PAGES}`);
  const synchronous = pragma(database, 'synchronous');
  if (mode === 'wal' && synchronous === SYNCHRONOUS_FULL) return;
  throw new MillraceError(
    'MR_EDGE_OUTBOX',
    `The outbox did not take its durability settings: journal_mode is '${mode}' (must be 'wal'), ` +
      `synchronous is ${synchronous} (must be ${SYNCHRONOUS_FULL}). Put --outbox on a local disk.`,
  );
}

function createTables(database: DatabaseSync, path: string): void {
  const version = pragma(database, 'user_version');
  if (version === LAYOUT_VERSION) return;
  if (version !== 0) {
    throw new MillraceError(
      'MR_EDGE_OUTBOX',
      `The outbox ${path} has layout ${version}; this forwarder reads layout ${LAYOUT_VERSION}. Use the version that wrote it.`,
    );
  }
  database.exec(`BEGIN IMMEDIATE; ${TABLES} COMMIT;`);
}

/** Moves the file and its write-ahead log to the first free `outbox.db.damaged-<n>`. */
function quarantine(path: string): string {
  let n = 1;
  while (existsSync(`${path}.damaged-${n}`)) n++;
  const target = `${path}.damaged-${n}`;
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, target + suffix);
  }
  return target;
}

function pragma(database: DatabaseSync, text: string): string | number | undefined {
  const row = database.prepare(`PRAGMA ${text}`).get();
  return row === undefined ? undefined : (Object.values(row)[0] as string | number);
}

function damaged(text: string): Error {
  return Object.assign(new Error(`quick_check: ${text}`), { errcode: SQLITE_CORRUPT });
}

function sqliteCode(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('errcode' in error)) return undefined;
  return Number(error.errcode) & 0xff;
}

/** Runs `work` in one transaction. A failure rolls back, whether or not SQLite already did. */
export function transaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** An unexpected failure of the store, with its path and what to do. */
export function storeFailure(what: string, cause: unknown): MillraceError {
  return new MillraceError(
    'MR_EDGE_OUTBOX',
    `The outbox could not ${what}: ${errorText(cause)}. Check the disk, then restart.`,
    {
      cause,
    },
  );
}
