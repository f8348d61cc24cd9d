import { readFileSync } from 'node:fs';
import t from 'tap';
import { hasDevelopmentPackages, type LockFile, treeMatches } from '../../../ops/setup/install-packages.mjs';

const lock: LockFile = {
  packages: {
    '': {},
    'node_modules/run': { version: '1.0.0' },
    'node_modules/dev': { version: '2.0.0', dev: true },
    'node_modules/other-platform': { version: '3.0.0', optional: true },
  },
};
const tree = (versions: Record<string, string>): LockFile => ({
  packages: Object.fromEntries(
    Object.entries(versions).map(([name, version]) => [`node_modules/${name}`, { version }]),
  ),
});

await t.test('a start needs run-time packages only, a test run all of them', async (t) => {
  t.ok(treeMatches(lock, tree({ run: '1.0.0' }), false));
  t.notOk(treeMatches(lock, tree({ run: '1.0.0' }), true));
  t.ok(treeMatches(lock, tree({ run: '1.0.0', dev: '2.0.0' }), true));
});

await t.test('another version, or no tree, is installed anew', async (t) => {
  t.notOk(treeMatches(lock, tree({ run: '1.0.1' }), false));
  t.notOk(treeMatches(lock, null, false));
});

await t.test(
  'a tree with development packages is known as such, so that a start does not prune it',
  async (t) => {
    t.notOk(hasDevelopmentPackages(null));
    t.notOk(hasDevelopmentPackages(tree({ run: '1.0.0' })));
    t.ok(hasDevelopmentPackages(lock));
  },
);

await t.test('the packages installed here match package-lock.json', async (t) => {
  const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as LockFile;
  t.ok(treeMatches(read('package-lock.json'), read('node_modules/.package-lock.json'), true));
});
