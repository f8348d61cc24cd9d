import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorText, MillraceError } from '#engine';

/** The path of a `file:///…` location. Locations are opaque in Iceberg: nothing in them is percent-decoded. */
export function pathOf(location: string): string {
  return location.startsWith('file://') ? location.slice('file://'.length) : location;
}

/** The location of an absolute path. */
export function locationOf(path: string): string {
  return `file://${path}`;
}

/** A file that the table names. @throws MR_TABLE_CORRUPT when it is not there. */
export async function readTableFile(location: string): Promise<Uint8Array> {
  try {
    return await readFile(pathOf(location));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw new MillraceError(
      'MR_TABLE_CORRUPT',
      `${location} is named by its table and does not exist; restore it or roll the table back.`,
      { cause },
    );
  }
}

/** What the operating system refuses becomes MR_SINK_FAILED: the attempt ends, and the next one starts from its checkpoint. */
export async function withFileErrors<T>(table: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).syscall === undefined) throw cause;
    throw new MillraceError(
      'MR_SINK_FAILED',
      `Iceberg table ${table}: ${errorText(cause)}. Check space and permissions of the warehouse.`,
      { cause },
    );
  }
}

/** Writes a file that a crash leaves either whole under its name or not at all; replaces an older one. */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = await writeTemporary(path, bytes);
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/** Replaces a small file atomically for readers, without waiting for the disk: after a power failure it may be old or empty. */
export async function replaceHint(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  await writeFile(temporary, text, { flag: 'wx' });
  await rename(temporary, path);
}

/**
 * Creates a file unless its name is taken: false when it is. link(2) is the atomic step, as rename(2) would silently
 * replace what a racing process has made.
 */
export async function createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
  const temporary = await writeTemporary(path, bytes);
  try {
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  await syncDirectory(dirname(path));
  return true;
}

/** Makes a directory and its parents, and their entries durable. */
export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let at = path; at.length >= first.length; at = dirname(at)) await syncDirectory(dirname(at));
}

/** Makes the entries of a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeTemporary(path: string, bytes: Uint8Array): Promise<string> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  const handle = await open(temporary, 'wx');
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return temporary;
}
