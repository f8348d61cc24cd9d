/**
 * Runs the tests and ends with one line, `N passed, N failed` (and `, N skipped`). Arguments are path prefixes or parts:
 * `npm test -- test/ops redis`. Files `*.long.test.ts` run only with `--long`, through `npm run test:crash` and others.
 * `--fuzz` takes the files of hostile input alone, with a million inputs each.
 * `--property` takes the files with property tests alone; with `--long` each property then runs at least 10,000 times.
 * A few files that failed are run once more, each alone, and named as flaky when they pass then.
 * Exits 1 when a test failed, when nothing ran, or when a test of a real server was skipped.
 */
import { spawn } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { delimiter, dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { findPostgresFolder } from './find-test-programs.mjs';
import { findRedisServer } from './find-redis.mjs';
import { createTapSummary, mayNotSkip, summaryLine } from './tap-summary.mjs';

const PROPERTY_RUNS_LONG = 10_000;
const FUZZ_INPUTS_LONG = 1_000_000;
/** Files that failed and are run once more; more than these are no accident. */
const ALONE_MAX = 3;

const args = process.argv.slice(2);
const properties = args.includes('--property');
const fuzz = args.includes('--fuzz');
const long = args.includes('--long') && !properties;
const wanted = args.filter((arg) => !arg.startsWith('--'));
const files = globSync('test/**/*.test.ts')
  .filter((file) => (fuzz ? file.endsWith('.fuzz.test.ts') : file.endsWith('.long.test.ts') === long))
  .filter((file) => !properties || readFileSync(file, 'utf8').includes('propertyRuns('))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();
if (files.length === 0) {
  console.error(`No test file matches ${wanted.join(' ') || 'test/**/*.test.ts'}.`);
  process.exit(1);
}

// Servers may live outside PATH (Homebrew kegs, Debian's PostgreSQL); tests look on PATH only.
const redis = findRedisServer();
const postgres = findPostgresFolder();
const folders = [redis === null ? null : dirname(redis.program), postgres].filter(
  (folder) => folder !== null,
);
const PATH = [process.env['PATH'], ...folders].join(delimiter);

const runsLong = args.includes('--long') || fuzz;
const timeout = `--timeout=${runsLong ? 3600 : 120}`;
const runs = {
  ...(runsLong && properties && { MILLRACE_PROPERTY_RUNS: String(PROPERTY_RUNS_LONG) }),
  ...(fuzz && { MILLRACE_FUZZ_INPUTS: String(FUZZ_INPUTS_LONG) }),
};

let tap = null;
const stopTap = (signal) => tap?.kill(signal);
process.once('SIGINT', stopTap);
process.once('SIGTERM', stopTap);

/** Runs files and gives the result of each that had one, and tap's exit code. */
async function run(some) {
  tap = spawn('tap', ['run', '--reporter=tap', timeout, ...some], {
    env: { ...process.env, PATH, ...runs },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exitCode = new Promise((resolve) => {
    tap.once('error', (error) => {
      console.error(`tap could not be started: ${error.message}. Run this through npm: npm test.`);
      resolve(1);
    });
    tap.once('close', (code) => resolve(code ?? 1));
  });
  const summary = createTapSummary();
  const results = new Map();
  for await (const line of createInterface({ input: tap.stdout })) {
    const file = summary.push(line);
    if (file === null) continue;
    results.set(file.name, file);
    console.log(`${file.failed > 0 ? 'FAIL' : ' ok '}  ${file.name}  ${summaryLine(file)}`);
    if (file.failed > 0) console.log(file.lines.join('\n'));
    for (const title of file.skippedTitles) console.log(`      skipped: ${title}`);
  }
  return { results, code: await exitCode };
}

const { results, code } = await run(files);
// A few that failed get another try, by themselves: real servers, processes and clocks share a machine with all the other tests.
const broken = files.filter((file) => (results.get(file)?.failed ?? 1) > 0);
const again = broken.length <= ALONE_MAX ? broken : [];
for (const file of again) {
  console.log(`\nOnce more, alone: ${file}`);
  const { results: alone } = await run([file]);
  const result = alone.get(file);
  if (result === undefined || result.failed > 0) continue;
  results.set(file, result);
  console.error(`FLAKY: ${file} failed among the others and passed alone. It needs mending all the same.`);
}

const lost = files.filter((file) => !results.has(file));
for (const file of lost) console.error(`No result came from ${file}.`);
const forbidden = [...results.values()].filter(({ name, skipped }) => skipped > 0 && mayNotSkip(name));
for (const { name } of forbidden)
  console.error(`${name} skipped tests: its real server is missing; "npm test" sets it up.`);
const totals = { passed: 0, failed: lost.length, skipped: 0 };
for (const { passed, failed, skipped } of results.values()) {
  totals.passed += passed;
  totals.failed += failed;
  totals.skipped += skipped;
}
const failed = totals.failed > 0 || forbidden.length > 0;
const unexplained = !failed && code !== 0 && broken.length === 0;
if (unexplained) console.error(`tap ended with code ${code} although no test failed.`);
console.log(`\n${summaryLine(totals)}`);
process.exitCode = failed || unexplained ? 1 : 0;
