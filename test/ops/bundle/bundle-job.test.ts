import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { BundleFiles } from '../../../ops/bundle/bundle-files.ts';
import { bundleJob } from '../../../ops/bundle/bundle-job.ts';
import { inspectModule } from '../../../ops/bundle/inspect-module.ts';

t.setTimeout(60_000);
const CONTEXT = { redisUrl: '/nowhere', namespace: 'test', variables: { WHO: 'worker' } };
const COUNTING = new URL('../../engine/host/counting-job.ts', import.meta.url).pathname;

const JOB = `
import { collection, count, defineJob, partitionLog, eventTime, schema, string, tumbling } from 'millrace';
import { shout } from 'tiny';
import { own } from '#own';
import { basename } from 'node:path';
import { topic } from './topic.ts';

const Word = schema('word', { at: eventTime(1), text: string(2) });
const Total = schema('total', { at: eventTime(1), text: string(2) });

export default async ({ variables }: { variables: Record<string, string> }) =>
  defineJob(basename('/a/' + shout('words-')) + own + variables['WHO'], { guarantee: 'exactly-once' }, (job) => {
    job.source('words', partitionLog(topic, Word)).map((row) => row).to('out', partitionLog('totals', Total));
  });
`;

/** A project like a user's, with dependencies of both module kinds and an import map of its own. */
async function project(test: Test, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mr-project-'));
  test.teardown(() => rm(folder, { recursive: true, force: true }));
  const all: Record<string, string> = {
    'package.json': JSON.stringify({ name: 'mine', type: 'module', imports: { '#own': './src/own.ts' } }),
    'src/job.ts': JOB,
    'src/topic.ts': `export const topic: string = 'words'; // ü`,
    'src/own.ts': `export const own = '-own-';`,
    'node_modules/tiny/package.json': JSON.stringify({ name: 'tiny', main: 'index.js' }),
    'node_modules/tiny/index.js': `const { format } = require('util'); exports.shout = (text) => format('%s!', text).replace('!', '');`,
    ...files,
  };
  for (const [name, text] of Object.entries(all)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

void t.test(
  'O2: the same sources give the same bytes, wherever they lie; a change gives others',
  async (test) => {
    const here = await project(test);
    const there = join(await project(test), 'deep', 'er');
    await cp(here, there, { recursive: true });
    await writeFile(join(dirname(there), 'tsconfig.json'), '{ "compilerOptions": { "target": "es5" } }');
    const [a, again, b] = [
      await bundleJob(join(here, 'src/job.ts')),
      await bundleJob(join(here, 'src/job.ts')),
      await bundleJob(join(there, 'src/job.ts')),
    ];
    test.match(a.hash, /^[0-9a-f]{64}$/);
    test.equal(again.hash, a.hash);
    test.equal(b.hash, a.hash);
    test.same(b.code, a.code);
    await writeFile(join(there, 'src/topic.ts'), `export const topic: string = 'others'; // ü`);
    test.not((await bundleJob(join(there, 'src/job.ts'))).hash, a.hash);
  },
);

void t.test(
  "BF1: a bundle runs without its sources, on the worker's own Millrace; its job is checked",
  async (test) => {
    const folder = await project(test);
    const { code, hash } = await bundleJob(join(folder, 'src/job.ts'));
    const text = Buffer.from(code).toString();
    test.notMatch(text, folder, 'no path of this machine');
    test.match(text, /from "millrace"/);
    test.match(text, '//# sourceMappingURL=data:application/json;base64,');
    await rm(folder, { recursive: true });
    const cache = join(await project(test), 'cache');
    const url = await new BundleFiles(cache).keep(hash, code);
    const job = await inspectModule(url, CONTEXT);
    test.match(job, { name: 'words--own-worker', parallelism: 1, operators: ['words', 'out'] });
    await test.rejects(new BundleFiles(cache).keep(hash, code.subarray(1)), { code: 'MR_BUNDLE_INVALID' });
  },
);

void t.test("a job of Millrace's own keeps the internal names as imports", async (test) => {
  const { code, hash } = await bundleJob(COUNTING);
  test.match(Buffer.from(code).toString(), /from "#operators"/);
  const cache = join(await project(test), 'cache');
  test.match(await inspectModule(await new BundleFiles(cache).keep(hash, code), CONTEXT), {
    name: 'counting',
  });
});

void t.test('what cannot be bundled is refused with file and reason', async (test) => {
  const engine = JSON.stringify(new URL('../../../engine/index.ts', import.meta.url).pathname);
  const cases: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
    [{ 'src/job.ts': `import './gone.ts';` }, /Could not resolve "\.\/gone\.ts" \(src\/job\.ts:1\)/],
    [{ 'src/job.ts': `export default {` }, /src\/job\.ts:1/],
    [{ 'src/job.ts': `import 'millrace/inside';` }, /'millrace\/inside' is no module of Millrace/],
    [
      { 'src/job.ts': `import ${engine};` },
      /Millrace's own file engine.index\.ts; import 'millrace' instead/,
    ],
    [{ 'src/job.ts': `import '../build/x.node';` }, /x\.node, imported by src\/job\.ts, is compiled code/],
    [
      { 'node_modules/tiny/index.js': `require('bindings')('tiny.node');` },
      /bindings, imported by index\.js, is compiled code/,
    ],
    [
      { 'node_modules/tiny/package.json': JSON.stringify({ name: 'tiny', main: 'index.js', gypfile: true }) },
      /the package tiny is compiled code/,
    ],
  ];
  for (const [files, why] of cases) {
    const folder = await project(test, files);
    await test.rejects(
      bundleJob(join(folder, 'src/job.ts')),
      { code: 'MR_CONFIG_INVALID', message: why },
      String(why),
    );
  }
  await test.rejects(bundleJob('/nowhere/job.ts'), {
    code: 'MR_CONFIG_INVALID',
    message: /there is no such file/,
  });
});

void t.test('a module that is no job is refused, whatever it does when it is loaded', async (test) => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['export const job = 1;', 'MR_CONFIG_INVALID', /has no job/],
    ['process.exit(0); export default {};', 'MR_CONFIG_INVALID', /ended its process with code 0/],
    ['throw new Error("at home");', 'MR_CONFIG_INVALID', /cannot be loaded: at home/],
    [
      'setTimeout(() => { throw new Error("later") }); export default () => new Promise(() => {});',
      'MR_CONFIG_INVALID',
      /failed: later/,
    ],
    [
      `import { defineJob } from 'millrace'; export default defineJob('x', { guarantee: 'exactly-once' }, () => {});`,
      'MR_GRAPH_INVALID',
      /it has no source/,
    ],
  ];
  for (const [text, code, message] of cases) {
    const folder = await project(test, { 'src/job.mjs': text });
    const url = pathToFileURL(join(folder, 'src/job.mjs')).href;
    await test.rejects(inspectModule(url, CONTEXT), { code, message }, text);
  }
});
