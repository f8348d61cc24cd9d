import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startBenchRedis } from '../bench-redis.ts';
import type { EntryForm } from './drain.ts';
import type { Outcome } from './outcome.ts';

export interface T1Input {
  readonly events: number;
  readonly devices: number;
  /** CPU time of uncounted runs before, ms. */
  readonly warmUpMs: number;
  /** Where files of frames are kept. */
  readonly folder: string;
}

/** One variant of T1 in a process of its own. */
export async function t1Process(variant: string, input: T1Input, redisUrl = ''): Promise<Outcome> {
  const { events, devices, warmUpMs, folder } = input;
  const once = join(import.meta.dirname, 'once.ts');
  const numbers = [events, devices].map(String);
  const args = ['--expose-gc', once, variant, ...numbers, folder, String(warmUpMs), redisUrl];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 20 });
  return JSON.parse(stdout) as Outcome;
}

/** Gives a run a Redis of its own that holds the events; a run writes to it, and so none follows another. */
export async function withFilledRedis<Result>(
  form: EntryForm,
  input: T1Input,
  run: (url: string) => Promise<Result>,
): Promise<Result> {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const redis = await startBenchRedis(dir);
  try {
    await t1Process(`fill-${form}`, input, redis.url);
    return await run(redis.url);
  } finally {
    await redis.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
