import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const POSTGRES_FOLDERS = ['/usr/lib/postgresql', '/opt/homebrew/opt', '/usr/local/opt'];

/** What the tests run against beside Redis, each with where it was found (null: missing) and how it is installed. */
export function findTestPrograms() {
  const programs = [
    {
      name: 'PostgreSQL',
      what: 'PostgreSQL 15 or newer (initdb and postgres)',
      apt: [['postgresql']],
      brew: ['postgresql@17'],
      hint: 'Install it with "apt-get install postgresql" or "brew install postgresql@17"; no running service is needed.',
      find: findPostgresFolder,
    },
    {
      name: 'promtool',
      what: "promtool, Prometheus' rule checker",
      apt: [['prometheus']],
      brew: ['prometheus'],
      hint: 'Install it with "apt-get install prometheus" or "brew install prometheus".',
      find: () => onPath('promtool'),
    },
    {
      name: 'Chromium',
      what: 'a Chromium browser',
      apt: [['chromium'], ['chromium-browser']],
      brew: ['chromium'],
      hint: 'Install it with "apt-get install chromium", or name another one: CHROMIUM=/path/to/chrome npm test.',
      find: findChromium,
    },
  ];
  return programs.map((program) => ({ ...program, path: program.find() }));
}

/** Folder with `initdb` and `postgres` of one version, 15 or newer; the newest of those outside PATH. */
export function findPostgresFolder() {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  for (const base of POSTGRES_FOLDERS) {
    if (!existsSync(base)) continue;
    const versions = readdirSync(base).sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
    folders.push(...versions.map((version) => join(base, version, 'bin')));
  }
  return folders.find((folder) => folder !== '' && postgresMajor(folder) >= 15) ?? null;
}

function postgresMajor(folder) {
  if (!existsSync(join(folder, 'initdb')) || !existsSync(join(folder, 'postgres'))) return 0;
  const run = spawnSync(join(folder, 'postgres'), ['--version'], { encoding: 'utf8', timeout: 5_000 });
  return Number(/\(PostgreSQL\) (\d+)/.exec(run.stdout ?? '')?.[1] ?? 0);
}

/** Path of a Chromium that a test may drive: `CHROMIUM`, PATH, or the usual macOS place. */
export function findChromium() {
  const named = process.env['CHROMIUM'];
  if (named) return existsSync(named) ? named : null;
  const mac = '/Applications/Chromium.app/Contents/MacOS/Chromium';
  return (
    onPath('chromium') ??
    onPath('chromium-browser') ??
    onPath('google-chrome') ??
    (existsSync(mac) ? mac : null)
  );
}

function onPath(name) {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && existsSync(join(folder, name))) return join(folder, name);
  }
  return null;
}
