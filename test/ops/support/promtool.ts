import { spawnSync } from 'node:child_process';

/** Runs promtool and throws with what it said unless it is content. Its absence is an error, not a reason to skip. */
export function promtool(args: readonly string[], input = ''): string {
  const run = spawnSync('promtool', [...args], { input, encoding: 'utf8', timeout: 30_000 });
  if (run.error)
    throw new Error(`promtool does not run: ${run.error.message}. Install Prometheus; "npm test" does.`);
  const said = `${run.stdout}${run.stderr}`.trim();
  if (run.status !== 0) throw new Error(`promtool ${args.join(' ')} refused (code ${run.status}):\n${said}`);
  return said;
}
