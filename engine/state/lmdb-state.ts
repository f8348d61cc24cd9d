import { mkdirSync, mkdtempSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { open } from 'lmdb';
import { errorText, MillraceError } from '../base/errors.ts';
import { LmdbScratch } from './lmdb-scratch.ts';
import { LmdbStateBackend } from './lmdb-state-backend.ts';
import type { OpenStateBackend } from './state-backend.ts';

/** Where keyed state goes that does not fit in memory. */
export interface LmdbStateOptions {
  /** Created where missing. Each backend makes a folder of its own in it, and deletes that when it closes. */
  readonly folder: string;
  /** Keys per subtask whose cells are in memory between two batches. */
  readonly hotKeysMax: number;
}

/**
 * Keyed state on disk, with the cells of hot keys in memory. LMDB is loaded by the first call: jobs in memory do without it.
 * @throws MR_CONFIG_INVALID when LMDB is not installed; the backends throw it when the folder cannot be written to
 */
export async function lmdbState(options: LmdbStateOptions): Promise<OpenStateBackend> {
  return backendIn(await loadLmdb(), options, 'state-');
}

/** The state on disk of one attempt of a job. */
export interface AttemptState {
  readonly backend: (operator: string, subtask: number) => OpenStateBackend;
  /** Closes what is still open. */
  readonly close: () => Promise<void>;
}

/**
 * Keeps the state of one attempt in `<folder>/<job>/<generation>/<operator>.<subtask>-<random>`, after deleting what earlier
 * attempts have left: checkpoints are what a job restarts from. An attempt that still runs elsewhere keeps the files it has open.
 * @throws MR_CONFIG_INVALID
 */
export async function openAttemptState(
  { folder, hotKeysMax }: LmdbStateOptions,
  attempt: { readonly job: string; readonly generation: number },
): Promise<AttemptState> {
  const openDatabase = await loadLmdb();
  const ofJob = join(folder, attempt.job);
  await deleteEarlier(ofJob, attempt.generation);
  const ofAttempt = join(ofJob, String(attempt.generation));
  const open: LmdbStateBackend[] = [];
  return {
    backend: (operator, subtask) => {
      const where = { folder: ofAttempt, hotKeysMax };
      const openBackend = backendIn(openDatabase, where, `${operator}.${subtask}-`);
      return (keys, watcher) => {
        const backend = openBackend(keys, watcher) as LmdbStateBackend;
        open.push(backend);
        return backend;
      };
    },
    async close() {
      await Promise.all([...open].map((backend) => backend.close()));
    },
  };
}

function backendIn(
  openDatabase: typeof open,
  { folder, hotKeysMax }: LmdbStateOptions,
  prefix: string,
): OpenStateBackend {
  if (!Number.isSafeInteger(hotKeysMax) || hotKeysMax < 1)
    throw new MillraceError('MR_CONFIG_INVALID', `hotKeysMax is ${hotKeysMax}, it must be 1 or more.`);
  const openScratch = () => {
    try {
      mkdirSync(folder, { recursive: true });
      return new LmdbScratch(openDatabase, mkdtempSync(join(folder, prefix)));
    } catch (error) {
      throw badFolder(folder, error);
    }
  };
  return (keys, watcher) => new LmdbStateBackend(keys, hotKeysMax, openScratch, watcher);
}

async function deleteEarlier(ofJob: string, generation: number): Promise<void> {
  let names: string[];
  try {
    names = await readdir(ofJob);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw badFolder(ofJob, error);
  }
  const earlier = names.filter((name) => /^\d+$/.test(name) && Number(name) < generation);
  try {
    for (const name of earlier) await rm(join(ofJob, name), { recursive: true, force: true });
  } catch (error) {
    throw badFolder(ofJob, error);
  }
}

async function loadLmdb(): Promise<typeof open> {
  try {
    return (await import('lmdb')).open;
  } catch (cause) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `State on disk needs the package lmdb, which cannot be loaded: ${errorText(cause)}. Install it, or keep the job's state in memory.`,
      { cause },
    );
  }
}

function badFolder(folder: string, cause: unknown): MillraceError {
  return new MillraceError(
    'MR_CONFIG_INVALID',
    `State on disk cannot be kept in '${folder}': ${errorText(cause)}. Give the job's state a folder that it may write to.`,
    { cause, details: { folder } },
  );
}
