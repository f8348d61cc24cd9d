/**
 * Makes a bare machine ready: `node ops/setup/setup.mjs start` before `npm start`, `… test` before `npm test`.
 * Plain JavaScript without dependencies, because it runs before anything is installed, on Node 20 or newer.
 * What is already there is left alone; a second run changes nothing.
 */
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findRedisServer, REDIS_NEEDED } from './find-redis.mjs';
import { findTestPrograms } from './find-test-programs.mjs';
import { installPackages } from './install-packages.mjs';
import { installSystemPackages } from './system-packages.mjs';
import { SetupError, step } from './step.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const REDIS_OPTIONS = `Choose one:
  - install a server and try again: "apt-get install redis-server", "brew install valkey", or from https://valkey.io
  - or point to a running one: REDIS_URL=redis://host:6379 npm start`;

async function main(command) {
  if (command !== 'start' && command !== 'test') {
    throw new SetupError(
      `setup: unknown command "${command ?? ''}".\nUsage: node ops/setup/setup.mjs <start|test>`,
    );
  }
  requireNode();
  await installPackages(root, command);
  await ensureRedis(command);
  if (command === 'test') await ensureTestPrograms();
}

function requireNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= 20) return;
  throw new SetupError(
    `setup: this is Node ${process.versions.node}; 20 or newer is needed to install Millrace (which then brings its own Node 24).\n` +
      'Install a current Node from https://nodejs.org and try again.',
  );
}

async function ensureRedis(command) {
  if (command === 'start' && process.env['REDIS_URL']) {
    step('Redis', 'REDIS_URL is set; no server of our own is needed');
    return;
  }
  let found = findRedisServer();
  if (found === null) {
    await installSystemPackages({
      what: 'a Redis or Valkey server',
      apt: [['valkey-server'], ['redis-server']],
      brew: ['valkey'],
      otherwise: `Millrace needs ${REDIS_NEEDED}; none was found on PATH or in the usual folders.\n${REDIS_OPTIONS}`,
    });
    found = findRedisServer();
  }
  if (found === null) {
    throw new SetupError(`setup: the installed server is older than ${REDIS_NEEDED}.\n${REDIS_OPTIONS}`);
  }
  step('Redis', `${found.product} ${found.version} at ${found.program}`);
}

/** Tests run against real servers and a real browser; they fail rather than skip, so everything is here before they start. */
async function ensureTestPrograms() {
  const mayInstall = process.env['CI'] === 'true' || process.getuid?.() === 0;
  for (const wanted of findTestPrograms()) {
    if (wanted.path === null && mayInstall) {
      await installSystemPackages({
        what: wanted.what,
        apt: wanted.apt,
        brew: wanted.brew,
        otherwise: `The tests need ${wanted.what}. ${wanted.hint}`,
      });
    }
    const path = wanted.path ?? wanted.find();
    if (path === null)
      throw new SetupError(`setup: the tests need ${wanted.what}, which was not found. ${wanted.hint}`);
    step(wanted.name, path);
  }
}

// An npm script has node_modules/.bin first on PATH; programs of the system are meant here.
process.env['PATH'] = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((folder) => !folder.startsWith(join(root, 'node_modules')))
  .join(delimiter);

try {
  await main(process.argv[2]);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}
