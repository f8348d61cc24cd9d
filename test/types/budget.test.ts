import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runTsc } from '../support/run-tsc.ts';

/**
 * Type instantiations that checking the job code of this folder may take, the engine's own sources included: 343,000 when this was
 * set. What an author waits for while typing grows with it.
 */
const INSTANTIATIONS_MAX = 450_000;

await t.test('the types of job code stay cheap to check', async (test) => {
  mkdirSync('.millrace', { recursive: true });
  const folder = mkdtempSync(join('.millrace', 'types-'));
  test.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const config = { extends: '../../tsconfig.json', include: ['../../test/types/*.test-d.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const { stdout } = runTsc(folder, '--extendedDiagnostics');
  const instantiations = Number(/Instantiations:\s+(\d+)/.exec(stdout)?.[1]);
  test.ok(instantiations > 50_000, 'they were counted');
  test.ok(instantiations < INSTANTIATIONS_MAX, `${instantiations} instantiations`);
});
