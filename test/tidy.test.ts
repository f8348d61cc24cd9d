import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { ERROR_CATALOGUE } from '#engine';

/** What no linter rule says but the house rules do. Paths are relative to the repository. */
const SOURCES = ['engine', 'operators', 'sinks', 'jobs', 'edge-forwarder', 'ops', 'benchmarks'];
const FILE_LINES_MAX = 450;
const FUNCTION_LINES_MAX = 70;

/** Invariants that no test cites yet. Take an id out when a test cites it; add none. */
const UNCITED: readonly string[] = [
  'DB1',
  'DE1',
  'IC3',
  'IN1',
  'KP1',
  'KP2',
  'KP3',
  'LF1',
  'LF2',
  'OB5',
  'PS1',
  'PS2',
  'PS3',
  'PT1',
  'PT2',
  'RC4',
  'RS3',
  'RW1',
  'RW2',
  'SV1',
  'SV2',
  'SV3',
  'TC1',
  'TC2',
  'TC3',
  'UL1',
  'UL2',
  'UL3',
  'UL4',
  'UL5',
];

const run = promisify(execFile);
const root = dirname(import.meta.dirname);
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Files that git knows or would take; other people's untracked folders stay out by .gitignore. */
async function files(...patterns: readonly string[]): Promise<string[]> {
  const { stdout } = await run(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard', '--', ...patterns],
    {
      cwd: root,
      maxBuffer: 1 << 24,
    },
  );
  return stdout.split('\n').filter((path) => path !== '' && existsSync(join(root, path)));
}
const sources = async () => (await files(...SOURCES)).filter((path) => /\.(ts|mjs|lua)$/.test(path));

void t.test('no source file and no function grows beyond its limit', async (test) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-tidy-'));
  test.teardown(() => rmSync(folder, { recursive: true }));
  const config = join(folder, 'oxlint.json');
  const counted = { max: FUNCTION_LINES_MAX, skipBlankLines: true, skipComments: true };
  writeFileSync(
    config,
    JSON.stringify({
      categories: { correctness: 'off' },
      rules: { 'max-lines-per-function': ['error', counted] },
    }),
  );
  // The linter is a program of its own: what the test runner wants loaded into Node must not reach it.
  const args = [
    '-u',
    'NODE_OPTIONS',
    join(root, 'node_modules/.bin/oxlint'),
    '-c',
    config,
    '--format',
    'json',
  ];
  const { stdout } = await run('env', [...args, ...SOURCES], { cwd: root, maxBuffer: 1 << 24 }).catch(
    (failed: { stdout: string }) => failed, // findings end it with code 1
  );
  const report = JSON.parse(stdout) as {
    diagnostics: { message: string; filename: string }[];
    number_of_files: number;
  };
  test.ok(report.number_of_files > 150, `${report.number_of_files} files were looked at`);
  test.same(
    report.diagnostics.map(({ filename, message }) => `${filename}: ${message}`),
    [],
  );

  const long: string[] = [];
  for (const path of await sources()) {
    const lines = read(path).split('\n').length - 1;
    if (lines > FILE_LINES_MAX) long.push(`${path}: ${lines} lines`);
  }
  test.same(long, []);
});

void t.test('files are named after what is in them, in kebab-case', async (test) => {
  const banned =
    /^(utils?|helpers?|common|misc|shared|manager|types|lib)\.[a-z]+$|-(manager|utils?|helpers?)\./;
  const wrong = (await sources()).filter(
    (path) => banned.test(basename(path)) || !/^[a-z0-9]+([.-][a-z0-9]+)*$/.test(basename(path)),
  );
  test.same(wrong, []);
});

void t.test('every numbered invariant is cited by a test', async (test) => {
  const declared = new Map<string, string[]>();
  for (const path of await sources()) {
    for (const [, id] of read(path).matchAll(/^ ?\* ([A-Z]{2}\d+) /gm))
      declared.set(id as string, [...(declared.get(id as string) ?? []), path]);
  }
  test.ok(declared.size > 80, `${declared.size} invariants`);
  const self = 'test/tidy.test.ts';
  const tests = (await files('test')).filter((path) => path.endsWith('.ts') && path !== self);
  const cited = new Set(tests.flatMap((path) => read(path).match(/\b[A-Z]{2}\d+\b/g) ?? []));
  const missing = [...declared].filter(([id]) => !cited.has(id) && !UNCITED.includes(id));
  test.same(
    missing.map(([id, where]) => `${id} (${where.join(', ')})`),
    [],
  );
  test.same(
    UNCITED.filter((id) => !declared.has(id)),
    [],
    'the list names only what exists',
  );
});

void t.test('docs/errors.md lists exactly the catalogue, with its domains and retries', async (test) => {
  const rows = [
    ...read('docs/errors.md').matchAll(/^\| `(MR_[A-Z_]+)` \| (\w+) \| (\w+) \| (.+) \| (.+) \|$/gm),
  ];
  test.same(
    rows.map(([, code, domain, retry]) => `${code} ${domain} ${retry}`),
    Object.entries(ERROR_CATALOGUE).map(([code, { domain, retry }]) => `${code} ${domain} ${retry}`),
  );
});

void t.test('every code of the catalogue is used', async (test) => {
  const text = (await sources())
    .filter((path) => path !== 'engine/base/errors.ts')
    .map(read)
    .join('\n');
  test.same(
    Object.keys(ERROR_CATALOGUE).filter((code) => !text.includes(`'${code}'`)),
    [],
  );
});

void t.test('nothing is left to do in the sources', async (test) => {
  const mark = new RegExp(['TO', 'DO|FIX', 'ME|XX', 'X'].join(''));
  const left: string[] = [];
  for (const path of await files(...SOURCES, 'test', 'docs', '*.md')) {
    if (
      !/\.(ts|mjs|lua|md)$/.test(path) ||
      path.startsWith('ops/setup/tap-summary') ||
      path.startsWith('test/ops/setup')
    )
      continue;
    read(path)
      .split('\n')
      .forEach((line, i) => {
        if (mark.test(line)) left.push(`${path}:${i + 1}`);
      });
  }
  test.same(left, []);
});

void t.test('links between documents lead somewhere', async (test) => {
  const dead: string[] = [];
  for (const path of await files('*.md', '**/*.md')) {
    for (const [, target] of read(path).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^[a-z]+:/.test(target as string)) continue;
      if (!existsSync(join(root, dirname(path), target as string))) dead.push(`${path}: ${target}`);
    }
  }
  test.same(dead, []);
});
