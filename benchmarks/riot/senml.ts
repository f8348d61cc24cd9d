import { eventTime, f64, type Infer, schema, string } from '#wire';

/** A message of one sensor as it comes: the text of a SenML pack. */
export const SenmlRow = schema('senml', { at: eventTime(1), message: f64(2), pack: string(3) });
export type SenmlRow = Infer<typeof SenmlRow>;

/** The topic that jobs read. */
export const TOPIC = 'riot';

/** What sensors observe, in the order of their messages: name, unit, and what is in range. */
export const OBSERVED = [
  { name: 'temperature', unit: 'far', low: 0.7, high: 35.1 },
  { name: 'humidity', unit: 'per', low: 20.3, high: 69.1 },
  { name: 'light', unit: 'per', low: 0, high: 5_153 },
  { name: 'dust', unit: 'per', low: 83.36, high: 3_322.67 },
  { name: 'airquality_raw', unit: 'per', low: 12, high: 49 },
] as const;

/** One value of one message. */
export interface Observation {
  readonly message: number;
  readonly at: number;
  readonly sensor: string;
  readonly longitude: string;
  readonly latitude: string;
  readonly type: string;
  readonly value: number;
}

/** An entry of a pack: a text in `sv` or a number, as text, in `v`. */
interface Entry {
  readonly n: string;
  readonly u: string;
  readonly v?: string;
  readonly sv?: string;
}

interface Pack {
  readonly e: readonly Entry[];
  readonly bt: number;
}

/** The observations of a message. */
export function parseSenml({ message, pack }: Pick<SenmlRow, 'message' | 'pack'>): Observation[] {
  const { e, bt } = JSON.parse(pack) as Pack;
  const text = (name: string) => {
    const entry = e.find(({ n }) => n === name);
    return entry?.sv ?? entry?.v ?? '';
  };
  const [sensor, longitude, latitude] = [text('source'), text('longitude'), text('latitude')];
  return OBSERVED.map(({ name }) => ({
    message,
    at: bt,
    sensor,
    longitude,
    latitude,
    type: name,
    value: Number(text(name)),
  }));
}

/** Columns of an annotated line, and how each is written in a pack. */
const COLUMNS: readonly (readonly [name: string, unit: string, kind: 'v' | 'sv'])[] = [
  ['source', 'string', 'sv'],
  ['longitude', 'lon', 'v'],
  ['latitude', 'lat', 'v'],
  ...OBSERVED.map(({ name, unit }) => [name, unit, 'v'] as const),
  ['location', 'string', 'sv'],
  ['type', 'string', 'sv'],
];

/** A line `time, source, longitude, latitude, the observed values, location, type` as a pack; a line without annotation has no last two. */
export function senmlOfLine(line: string): string {
  const [time, ...values] = line.split(',');
  const e = values.map((value, i) => {
    const [n, u, kind] = COLUMNS[i] as (typeof COLUMNS)[number];
    return { n, u, [kind]: value };
  });
  return JSON.stringify({ bt: Number(time), e });
}
