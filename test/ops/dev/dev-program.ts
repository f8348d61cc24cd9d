import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { until } from '../../support/job-bench.ts';

const MAIN = fileURLToPath(new URL('../../../ops/cli/main.mjs', import.meta.url));
const SHOWN_MS_MAX = 20_000;

/** A running `millrace dev`, as somebody in front of it sees it. */
export interface DevProgram {
  /** Resolves when a line like this has come, after those that earlier calls have found. */
  readonly shows: (pattern: RegExp) => Promise<string>;
  readonly types: (line: string) => void;
  readonly interrupt: () => void;
  readonly exitCode: Promise<number | null>;
  readonly output: () => string;
}

export function startDev(test: Test, args: readonly string[], env: NodeJS.ProcessEnv = {}): DevProgram {
  const { REDIS_URL: _, ...rest } = process.env;
  const child = spawn(process.execPath, [MAIN, 'dev', ...args], { env: { ...rest, ...env } });
  let output = '';
  let found = 0;
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      output += String(bytes);
    });
  const exitCode = once(child, 'exit').then(([code]) => code as number | null);
  test.teardown(async () => {
    child.kill('SIGTERM');
    await exitCode;
  });
  return {
    output: () => output,
    exitCode,
    types: (line) => void child.stdin.write(`${line}\n`),
    interrupt: () => void child.kill('SIGINT'),
    async shows(pattern) {
      const look = () => output.slice(found).match(pattern);
      await until(() => look() !== null, `${String(pattern)} is shown`, SHOWN_MS_MAX).catch(
        (error: Error) => {
          throw new Error(`${error.message}; shown was: ${output}`);
        },
      );
      const [line, at] = [look()?.[0] ?? '', look()?.index ?? 0];
      found += at + line.length;
      return line;
    },
  };
}
