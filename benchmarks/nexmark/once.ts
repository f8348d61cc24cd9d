import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { FRAME_RECORDS } from '../row-frames.ts';
import { warmUp } from '../warm-up.ts';
import { runQuery } from './engine.ts';
import { nexmarkFile } from './event-file.ts';
import { QUERY_NAMES } from './queries.ts';
import { fileText, linesDigest } from './result-sink.ts';

/**
 * One query in one process: `node --expose-gc once.ts <query> <events> <rate> <seed> <folder> <warm-up ms> [--lines file]`; prints its
 * outcome as JSON. The first million events, half of them at most, are run before, uncounted, for so much CPU time. With `--lines` the
 * results go to a file, sorted, and their digest is printed too; such a run is no measurement.
 */
const { values, positionals } = parseArgs({ allowPositionals: true, options: { lines: { type: 'string' } } });
const [name, eventsText, rateText, seedText, folder, warmUpText] = positionals;
const query = QUERY_NAMES.find((known) => known === name);
const [events, rate, seed, warmUpMs] = [eventsText, rateText, seedText, warmUpText ?? 0].map(Number) as [
  number,
  number,
  number,
  number,
];
if (query === undefined || folder === undefined || !(events > 0 && rate > 0 && Number.isInteger(seed)))
  throw new Error(
    `no such run; once.ts <${QUERY_NAMES.join('|')}> <events> <rate> <seed> <folder> <warm-up ms> [--lines file]`,
  );

const frames = nexmarkFile({ events, rate, seed }, folder).frames();
const warmUpFrames = frames.slice(0, Math.floor(Math.min(events / 2, 1_000_000) / FRAME_RECORDS));
if (warmUpFrames.length > 0)
  await warmUp(warmUpMs, () => runQuery(query, warmUpFrames, warmUpFrames.length * FRAME_RECORDS));
const { outcome, results } = await runQuery(query, frames, events, values.lines !== undefined);
if (values.lines === undefined) process.stdout.write(`${JSON.stringify(outcome)}\n`);
else {
  const lines = results.lines();
  writeFileSync(values.lines, fileText(lines));
  process.stdout.write(`${JSON.stringify({ ...outcome, linesDigest: linesDigest(lines) })}\n`);
}
