import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { systemClock } from '#engine';
import { INTERVAL_VARIABLE } from './copy-job.ts';

/** A way to run a job module on one's own machine, in one process against a Redis. */
export interface Form {
  readonly id: 'worker' | 'dev' | 'script';
  readonly name: string;
  readonly args: (url: string, namespace: string) => string[];
}

const CLI = join(import.meta.dirname, '../../ops/cli/main.mjs');
const JOB_MODULE = join(import.meta.dirname, 'copy-job.ts');

export const FORMS: readonly Form[] = [
  {
    id: 'worker',
    name: 'millrace worker --slots 1 --job <file>',
    args: (url, namespace) => {
      const where = ['--redis', url, '--namespace', namespace];
      return [CLI, 'worker', ...where, '--slots', '1', '--drain', '0', '--job', JOB_MODULE];
    },
  },
  {
    id: 'dev',
    name: 'millrace dev <file>',
    args: (url, namespace) => [CLI, 'dev', JOB_MODULE, '--redis', url, '--namespace', namespace],
  },
  {
    id: 'script',
    name: 'a script with runJob, in one thread',
    args: (url, namespace) => [join(import.meta.dirname, 'script.mjs'), url, namespace],
  },
];

export interface FormSettings {
  readonly url: string;
  readonly namespace: string;
  /** Temporary files, among them what has been compiled. */
  readonly tmpDir: string;
  readonly checkpointInterval: string;
}

export function startForm(form: Form, settings: FormSettings): ChildProcess {
  const { url, namespace, tmpDir, checkpointInterval } = settings;
  const { NODE_OPTIONS: _options, NODE_COMPILE_CACHE: _cache, ...env } = process.env;
  return spawn(process.execPath, form.args(url, namespace), {
    stdio: 'ignore',
    env: { ...env, TMPDIR: tmpDir, [INTERVAL_VARIABLE]: checkpointInterval },
  });
}

const END_TIMEOUT_MS = 10_000;

/** In good order, so that what was compiled is kept; in no order when that takes too long. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const cancel = systemClock.after(END_TIMEOUT_MS, () => child.kill('SIGKILL'));
  await exited;
  cancel();
}
