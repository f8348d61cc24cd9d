import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { planExecution } from '#engine';
import type { JobDefinition } from '#operators';
import { runTsc } from '../support/run-tsc.ts';

/** Files that a page shows as ```` ```ts file=name.ts ````. */
function filesOf(page: string): Map<string, string> {
  const text = readFileSync(page, 'utf8');
  return new Map([...text.matchAll(/^```ts file=(\S+)\n(.*?)^```$/gms)].map((m) => [m[1] ?? '', m[2] ?? '']));
}

/** Inside the project, so that its own name resolves as it does for its users. */
function written(files: ReadonlyMap<string, string>): string {
  mkdirSync('.millrace', { recursive: true });
  const folder = mkdtempSync(join('.millrace', 'guide-'));
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
  const config = { extends: '../../tsconfig.json', include: ['*.ts'], compilerOptions: { noEmit: true } };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  return folder;
}

await t.test('the guide: its job compiles, and its tests pass as they are printed', async (test) => {
  const folder = written(filesOf('docs/guide/first-job.md'));
  test.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const compiled = runTsc(folder);
  test.equal(compiled.status, 0, compiled.stdout);
  // A test runner's own variables would make this one report to it.
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env;
  const ran = spawnSync(process.execPath, ['--test', '--test-reporter=tap', join(folder, 'job.test.ts')], {
    encoding: 'utf8',
    env,
  });
  test.equal(ran.status, 0, ran.stdout);
  test.match(ran.stdout, /# pass 3/);
});

await t.test('the words of a job: every block compiles, and every job can be planned', async (test) => {
  const files = filesOf('docs/guide/vocabulary.md');
  const folder = written(files);
  test.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const compiled = runTsc(folder);
  test.equal(compiled.status, 0, compiled.stdout);
  for (const name of files.keys()) {
    if (name === 'shop.ts') continue;
    const { default: job } = (await import(pathToFileURL(join(folder, name)).href)) as {
      default: JobDefinition;
    };
    test.ok(planExecution(job.graph()).vertices.length > 0, name);
  }
});
