import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const declared = JSON.parse(read('package.json')) as Record<
  'dependencies' | 'devDependencies',
  Record<string, string>
>;
const sections = read('docs/dependencies.md').split(/^## /m);

/** Rows of one list: package, version and the reason. */
function listed(title: string): { name: string; version: string; why: string }[] {
  const section = sections.find((text) => text.startsWith(title)) ?? '';
  return [...section.matchAll(/^\| ([@a-z]\S*) +\| (\d\S*) +\| (.+?) +\|$/gm)].map(
    ([, name = '', version = '', why = '']) => ({ name, version, why }),
  );
}

for (const [title, kind] of [
  ['At run time', 'dependencies'],
  ['For development', 'devDependencies'],
] as const) {
  await t.test(
    `docs/dependencies.md lists the ${kind} of package.json in order, with a reason each`,
    async (t) => {
      const rows = listed(title);
      t.strictSame(
        rows.map(({ name, version }) => [name, version]),
        Object.entries(declared[kind]),
      );
      t.ok(rows.every(({ why }) => why.length >= 10 && why.endsWith('.')));
    },
  );

  await t.test(`${kind} are pinned to one exact version`, async (t) => {
    const loose = Object.entries(declared[kind]).filter(
      ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
    );
    t.strictSame(loose, []);
  });
}
