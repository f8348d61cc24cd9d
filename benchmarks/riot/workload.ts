import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '#wire';
import { type FrameFile, frameFile } from '../frame-file.ts';
import { rowFrames } from '../row-frames.ts';
import { OBSERVED, parseSenml, SenmlRow } from './senml.ts';
import { textHash } from './text-hash.ts';

/** The sample of sensed cities that RIoTBench comes with, looked for beside the repository: it is not ours to hand on. */
export const SAMPLE = fileURLToPath(
  new URL('../../../shared/data/riotbench/SYS_sample_data_senml.csv', import.meta.url),
);

export interface RiotOptions {
  readonly events: number;
  readonly seed: number;
  /** The sample's file; null: rows of the same shape from the seed. */
  readonly sample: string | null;
}

/** The messages of a run and what is known of their sensors. */
export interface RiotInput {
  readonly file: FrameFile;
  readonly what: string;
  readonly registry: Registry;
}

/** Sensors that are registered → where and what they are. One in sixteen is not, by the hash of its name. */
export type Registry = ReadonlyMap<string, string>;

const SENSORS = 1_000;
const START_MS = 1_422_748_800_000;
/** Messages per second of the sample. */
const RATE = 17;
/** One value in so many leaves its range. */
const OUTLIERS = 50;

export const findSample = (): string | null => (existsSync(SAMPLE) ? SAMPLE : null);

export function riotInput({ events, seed, sample }: RiotOptions, folder: string): RiotInput {
  const recorded = sample === null ? null : readSample(sample);
  const rows = recorded === null ? () => seededRows(events, seed) : () => repeated(recorded, events);
  const kind = recorded === null ? `seed-${seed}` : 'sample';
  const file = frameFile(join(folder, `riot-${events}-${kind}.frames`), () =>
    rowFrames(SenmlRow, rows(), 'riot'),
  );
  const source = recorded === null ? `of ${SENSORS} sensors, seed ${seed}` : 'of the SYS sample, repeated';
  const sensors =
    recorded === null
      ? Array.from({ length: SENSORS }, (_, sensor) => sensorName(sensor, seed))
      : recorded.map((row) => parseSenml(row)[0]?.sensor ?? '');
  return {
    file,
    what: `${events} SenML messages of five observations ${source}, SHA-256 ${file.sha256}`,
    registry: registryOf(sensors),
  };
}

export function registryOf(sensors: Iterable<string>): Registry {
  const registered = [...new Set(sensors)].filter((sensor) => textHash(sensor) % 16 !== 0);
  return new Map(
    registered.map((sensor) => {
      const bits = textHash(sensor, 3) >>> 0;
      return [sensor, `city-${bits % 90},kit-${(bits >>> 8) % 4}`];
    }),
  );
}

/** Lines `time,pack` of the sample. */
export function readSample(path: string): readonly SenmlRow[] {
  const lines = readFileSync(path, 'utf8').trim().split(/\r?\n/);
  return lines.map((line, message) => {
    const comma = line.indexOf(',');
    const at = Number(line.slice(0, comma));
    const pack = line.slice(comma + 1);
    if (!Number.isFinite(at) || !pack.startsWith('{'))
      throw new Error(`${path} has a line that is no row: '${line.slice(0, 80)}'`);
    return { at, message, pack };
  });
}

/** Rows again and again, each round a second after the one before it ended. */
function* repeated(rows: readonly SenmlRow[], events: number): Generator<SenmlRow> {
  const spanMs = (rows.at(-1)?.at ?? 0) - (rows[0]?.at ?? 0) + 1_000;
  for (let message = 0; message < events; message++) {
    const { at, pack } = rows[message % rows.length] as SenmlRow;
    const moved = at + Math.floor(message / rows.length) * spanMs;
    yield { at: moved, message, pack: pack.replace(`"bt":${at}`, `"bt":${moved}`) };
  }
}

/** Messages shaped as the sample's: text values, five walks per sensor that stay mostly in range. */
export function* seededRows(events: number, seed: number, sensorCount = SENSORS): Generator<SenmlRow> {
  const random = seededRandom(seed);
  const sensors = Array.from({ length: sensorCount }, (_, sensor) => ({
    name: sensorName(sensor, seed),
    longitude: (random() * 360 - 180).toFixed(6),
    latitude: (random() * 180 - 90).toFixed(6),
    values: OBSERVED.map(({ low, high }) => low + random() * (high - low)),
  }));
  for (let message = 0; message < events; message++) {
    const sensor = sensors[Math.floor(random() * sensorCount)] as (typeof sensors)[number];
    const at = START_MS + Math.floor((message * 1_000) / RATE);
    const e: object[] = [
      { u: 'string', n: 'source', sv: sensor.name },
      { v: sensor.longitude, u: 'lon', n: 'longitude' },
      { v: sensor.latitude, u: 'lat', n: 'latitude' },
    ];
    for (const [i, { name, unit, low, high }] of OBSERVED.entries()) {
      const step = (random() - 0.5) * (high - low) * 0.02;
      const walked = Math.min(high, Math.max(low, (sensor.values[i] as number) + step));
      sensor.values[i] = walked;
      const value = random() * OUTLIERS < 1 ? walked + 2 * (high - low) : walked;
      e.push({ v: String(Math.round(value * 100) / 100), u: unit, n: name });
    }
    yield { at, message, pack: JSON.stringify({ e, bt: at }) };
  }
}

function sensorName(sensor: number, seed: number): string {
  const word = (purpose: number) => (textHash(`sensor ${sensor}`, seed + purpose) >>> 0).toString(36);
  return `ci${`${word(1)}${word(2)}${word(3)}${word(4)}`.padEnd(25, '0').slice(0, 25)}`;
}
