import { readFileSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { MillraceError } from '#wire';

/** The right to work in a folder, held until `release` or the end of the process, however that comes. */
export interface InstanceLock {
  readonly release: () => void;
}

/**
 * Takes the folder's lock. It is a lock of the operating system on an empty SQLite file, not the file's existence: a
 * killed process leaves nothing behind, and a process id used again fools nobody. The id beside it is for the message.
 * @throws MR_OPS_START while another process holds it
 */
export function takeInstanceLock(path: string): InstanceLock {
  const holder = `${path}.pid`;
  const database = new DatabaseSync(path);
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw new MillraceError(
      'MR_OPS_START',
      `Millrace already runs in this folder (process ${readHolder(holder)}, lock ${path}). ` +
        'Stop it first, or start another one beside it: MILLRACE_DIR=/another/folder npm start.',
      { cause },
    );
  }
  writeFileSync(holder, `${process.pid}\n`);
  return { release: () => database.close() };
}

function readHolder(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
