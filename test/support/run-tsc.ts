import { spawnSync } from 'node:child_process';

/**
 * Runs the type checker on a project. The test runner gives every child process a loader of its own, which the type checker's
 * launcher cannot bear: `env` takes it away again.
 */
export function runTsc(
  project: string,
  ...options: readonly string[]
): { status: number | null; stdout: string } {
  return spawnSync('env', ['-u', 'NODE_OPTIONS', 'tsc', '-p', project, ...options], { encoding: 'utf8' });
}
