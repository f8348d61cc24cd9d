import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runStep, SetupError, step } from './step.mjs';

/** Millrace runs its TypeScript sources directly, which needs this Node; the `node` package brings it. */
const NODE_NEEDED = [24, 12];

/**
 * Installs what `command` needs: run-time packages for `start`, all of them for `test`. Does nothing when the tree
 * already matches package-lock.json, and never removes development packages from a tree that has them.
 */
export async function installPackages(root, command) {
  const lock = readJson(join(root, 'package-lock.json'));
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'));
  const everything = command === 'test' || hasDevelopmentPackages(installed);
  if (treeMatches(lock, installed, command === 'test') && ownNode(root) !== null) {
    step('packages', `match package-lock.json (Node ${ownNode(root)})`);
    return;
  }
  // Not `npm ci`: that refuses a lock without the packages of every platform, which a registry that lacks them cannot
  // make. With --no-save the lock is obeyed and left as it is; what came of it is checked below.
  const args = ['install', '--no-save', '--loglevel=error', ...(everything ? [] : ['--omit=dev'])];
  const run = await runStep('packages', `npm ${args.join(' ')}`, 'npm', args, {
    cwd: root,
    env: npmEnvironment(),
  });
  if (run.code !== 0) {
    throw new SetupError(
      `setup: npm could not install the packages:\n${run.output.trim()}\nCheck the network and the registry (npm ping), then try again.`,
    );
  }
  if (!treeMatches(lock, readJson(join(root, 'node_modules', '.package-lock.json')), everything)) {
    throw new SetupError(
      'setup: npm installed other versions than package-lock.json names. Remove node_modules and try again.',
    );
  }
  await ensureOwnNode(root);
}

/**
 * True when every package that the lock wants is installed in that version. npm itself writes the list of what is
 * installed (node_modules/.package-lock.json), last of all, so an interrupted install does not match.
 * @param withDevelopment false: packages that only development needs may be missing
 */
export function treeMatches(lock, installed, withDevelopment) {
  if (installed === null || lock === null) return false;
  return Object.entries(lock.packages).every(([path, wanted]) => {
    if (path === '' || wanted.optional || wanted.devOptional) return true;
    if (wanted.dev && !withDevelopment) return true;
    return installed.packages[path]?.version === wanted.version;
  });
}

/** True when a tree holds development packages, which an install without them would remove. */
export function hasDevelopmentPackages(installed) {
  return installed !== null && Object.values(installed.packages).some((entry) => entry.dev === true);
}

/** npm may refuse to run install scripts; the script of the `node` package is then run by name. */
async function ensureOwnNode(root) {
  if (ownNode(root) === null) {
    const cwd = join(root, 'node_modules', 'node');
    const run = await runStep(
      'Node',
      'fetching the runtime',
      process.execPath,
      ['installArchSpecificPackage.js'],
      {
        cwd,
        env: npmEnvironment(),
      },
    );
    if (run.code !== 0 || ownNode(root) === null) {
      throw new SetupError(
        `setup: Node ${NODE_NEEDED.join('.')} could not be installed into node_modules/node:\n${run.output.trim()}`,
      );
    }
  }
  step('Node', `${ownNode(root)} in node_modules/node`);
}

function ownNode(root) {
  const program = join(root, 'node_modules', '.bin', 'node');
  if (!existsSync(program)) return null;
  const run = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  const version = /^v(\d+)\.(\d+)\.(\d+)/.exec(run.stdout ?? '');
  if (version === null) return null;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  const enough = major > NODE_NEEDED[0] || (major === NODE_NEEDED[0] && minor >= NODE_NEEDED[1]);
  return enough ? version[0].slice(1) : null;
}

/** Settings of the npm that runs us (its command, its arguments) must not reach the npm that we run. */
function npmEnvironment() {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^npm_(lifecycle|package|command|config_(argv|global|local_prefix|omit|include))/i.test(name),
  );
  return Object.fromEntries(kept);
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw new SetupError(`setup: ${path} cannot be read: ${error.message}`);
  }
}
