import { spawnSync } from 'node:child_process';

/** Runs the type checker on a project. Without the test runner's own loader, which its launcher cannot bear. */
export function runTsc(
  project: string,
  ...options: readonly string[]
): { status: number | null; stdout: string } {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return spawnSync('tsc', ['-p', project, ...options], { encoding: 'utf8', env });
}
