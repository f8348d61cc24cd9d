import { execFile } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PeerOutcome } from './peer.ts';
import { t1Results } from './t1-results.ts';

/** Where peers are built and installed, out of the repository's sight. */
export const PEERS_FOLDER = join(import.meta.dirname, '..', 'results', 'peers');

const BUILD_TIMEOUT_MS = 1_800_000;
const RUN_TIMEOUT_MS = 1_800_000;
const OUTPUT_BYTES_MAX = 1 << 22;
/** Of the first events, run before and not counted. */
const WARM_UP_EVENTS = 1_000_000;

const execute = promisify(execFile);

/** What a program writes to either stream, or null when it cannot be run. */
export async function outputOf(program: string, args: readonly string[]): Promise<string | null> {
  try {
    const { stdout, stderr } = await execute(program, args);
    return stdout + stderr;
  } catch {
    return null;
  }
}

/** Runs a step of a build. @throws with the last lines of what it says */
export async function build(
  [program, ...args]: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  try {
    await execute(program, args, {
      timeout: BUILD_TIMEOUT_MS,
      maxBuffer: OUTPUT_BYTES_MAX,
      env: { ...process.env, ...env },
    });
  } catch (error) {
    const { stderr, stdout, message } = error as Record<'stderr' | 'stdout' | 'message', string>;
    const said = (stderr || stdout || message).trim().split('\n');
    throw new Error(said.slice(-REASON_LINES).join(' '), { cause: error });
  }
}
const REASON_LINES = 3;

/**
 * Runs a peer's program, `… <workload> <file> <warm-up events> <file for rows>`, whose last line is JSON: what the run cost, and of
 * Nexmark the rows and their checksum too. The rows of T1 are in the file, one per line, with open windows among them. The signal ends
 * it before its time.
 */
export async function measuredRun(
  [program, ...leading]: readonly [string, ...string[]],
  workload: string,
  file: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<PeerOutcome> {
  mkdirSync(PEERS_FOLDER, { recursive: true });
  const rows = join(PEERS_FOLDER, `rows-${process.pid}.csv`);
  try {
    const { stdout } = await execute(program, [...leading, workload, file, String(WARM_UP_EVENTS), rows], {
      timeout: RUN_TIMEOUT_MS,
      maxBuffer: OUTPUT_BYTES_MAX,
      ...options,
    });
    const outcome = JSON.parse(stdout.trim().split('\n').at(-1) as string) as PeerOutcome;
    return workload.startsWith('t1') ? { ...outcome, ...t1Results(rows, file) } : outcome;
  } finally {
    rmSync(rows, { force: true });
  }
}
