import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** What was answered in some seconds. */
export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  /** In whole milliseconds, as autocannon keeps them. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Requests that are open at any time. */
export const CONNECTIONS = 10;

const PROGRAM = fileURLToPath(import.meta.resolve('autocannon'));

/** Asks as fast as answers come, from a process of its own. @throws for any answer that is not 2xx, and for errors and timeouts */
export async function load(url: string, seconds: number): Promise<LoadResult> {
  const args = [PROGRAM, '-j', '-c', String(CONNECTIONS), '-d', String(seconds), url];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 24 });
  const result = JSON.parse(stdout) as {
    readonly '2xx': number;
    readonly non2xx: number;
    readonly errors: number;
    readonly timeouts: number;
    readonly duration: number;
    readonly latency: { readonly p50: number; readonly p99: number };
  };
  const { '2xx': requests, non2xx, errors, timeouts, duration, latency } = result;
  if (non2xx + errors + timeouts > 0)
    throw new Error(
      `${url} answered ${requests} requests with 2xx and ${non2xx} with something else; ${errors} errors, ${timeouts} timeouts.`,
    );
  return { requests, seconds: duration, p50Ms: latency.p50, p99Ms: latency.p99 };
}
