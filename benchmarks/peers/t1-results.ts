import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { digestOf, type ResultRow } from '../t1/outcome.ts';
import { BOUND_MS, WINDOW_MS } from '../t1/workload.ts';

/**
 * What a peer's rows of T1 come to: those of windows that the records of the file have closed. A peer's input ends, which closes the
 * others too; Millrace's does not.
 *
 * @param path one row per line: device, start, count, then average, minimum and maximum of each measure
 * @param frames the file that the peer has read
 */
export function t1Results(
  path: string,
  frames: string,
): { readonly rows: number; readonly checksum: string } {
  const watermark = latestTime(frames) - BOUND_MS - 1;
  const rows = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map(rowOf)
    .filter(({ start }) => start + WINDOW_MS - 1 <= watermark);
  return { rows: rows.length, checksum: digestOf(rows) };
}

function rowOf(line: string): ResultRow {
  const [device = '', start, ...values] = line.split(',');
  return { device, start: Number(start), values: values.map(Number) };
}

const LENGTH_BYTES = 4;
/** In the envelope of a frame, engine/wire/envelope.ts. */
const MAX_TIME_AT = 40;

/** The latest event time of a file of frames. */
function latestTime(path: string): number {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const head = Buffer.alloc(LENGTH_BYTES + MAX_TIME_AT + 8);
    let latest = Number.NEGATIVE_INFINITY;
    for (let at = 0; at < size; at += LENGTH_BYTES + head.readUInt32LE(0)) {
      readSync(file, head, { position: at });
      latest = Math.max(latest, head.readDoubleLE(LENGTH_BYTES + MAX_TIME_AT));
    }
    return latest;
  } finally {
    closeSync(file);
  }
}
