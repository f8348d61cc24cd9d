import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { linesDigest } from '../nexmark/result-sink.ts';

/** Of each case, and of its late events, how many rows there are and their digest. */
type EdgeDigests = Readonly<Record<string, string>>;

/** What Flink gives. `npm run bench -- truth --workloads edges` sees to it that it does. */
export const GIVEN_BY_FLINK = JSON.parse(
  readFileSync(join(import.meta.dirname, 'edges-flink.json'), 'utf8'),
) as EdgeDigests;

/** @param lines results, sorted */
export function edgeDigests(lines: readonly string[]): EdgeDigests {
  const cases = Map.groupBy(lines, (line) => line.slice(0, line.indexOf(',')));
  return Object.fromEntries(
    [...cases].map(([number, rows]) => [number, `${rows.length} ${linesDigest(rows)}`]),
  );
}
