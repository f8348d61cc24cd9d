import { deserialize, serialize } from 'node:v8';
import { parseArgs } from 'node:util';
import { Packr } from 'msgpackr';
import { type Records, recordCount, rowAt, timeAt } from '#engine';
import { BatchBuilder, eventTime, f64, i32, type Infer, schema, seededRandom, string } from '#wire';
import { ElementDecoder, ElementEncoder } from '../../engine/exchange/element-codec.ts';
import { cpuMs } from '../t1/outcome.ts';

const HELP = `Usage: node --expose-gc benchmarks/micro/exchange-codec.ts [options]

CPU time, with garbage collection, of taking batches to bytes and back in one thread: by the exchange's codec, by structured cloning
(v8.serialize, which postMessage runs) of rows, and by msgpackr of rows. Columns of 6 fields, a quarter of each batch selected, and all
of it; rows as windows give them.

  --batch <n>     records of a batch, default 1000
  --batches <n>   batches of a run, default 2000
  --devices <n>   distinct keys, default 10000
  --runs <n>      counted runs of each, default 5
  --help
`;

const { values: options } = parseArgs({
  options: {
    batch: { type: 'string', default: '1000' },
    batches: { type: 'string', default: '2000' },
    devices: { type: 'string', default: '10000' },
    runs: { type: 'string', default: '5' },
    help: { type: 'boolean', default: false },
  },
});

const Reading = schema('reading', {
  ts: eventTime(1),
  tenant: string(2),
  device: string(3),
  temperature: f64(4),
  vibration: f64(5),
  status: i32(6),
});
type Reading = Infer<typeof Reading>;

/** Takes one batch to bytes and back; gives the bytes. */
type Carry = (records: Records) => number;

/** Few, because rows that are sent have just been made, and are in the cache. */
const FEED_BATCHES = 8;
const random = seededRandom(42);

const CARRIERS: Readonly<Record<string, () => Carry>> = {
  exchange: () => {
    const encoder = new ElementEncoder();
    const decoder = new ElementDecoder();
    return (records) => {
      const bytes = encoder.encode({ kind: 'records', records });
      decoder.decode(bytes);
      return bytes.length;
    };
  },
  'structured clone': () => (records) => {
    const bytes = serialize(asRows(records));
    deserialize(bytes);
    return bytes.length;
  },
  msgpackr: () => {
    const packr = new Packr({ structures: [] });
    return (records) => {
      const bytes = packr.pack(asRows(records));
      packr.unpack(bytes);
      return bytes.length;
    };
  },
};

if (options.help) process.stdout.write(HELP);
else main();

function main(): void {
  const [batch, batches, devices, runs] = [options.batch, options.batches, options.devices, options.runs].map(
    Number,
  ) as [number, number, number, number];
  const names = namesOf(devices);
  const feeds: Readonly<Record<string, readonly Records[]>> = {
    columns: feed(() => columns(batch, devices, false)),
    'columns, selected': feed(() => columns(batch, devices, true)),
    'window results': feed(() => results(batch, names)),
  };
  const rows = [
    '| records | carried by | CPU ns per record, median (min–max) | bytes per record |',
    '|---|---|---|---|',
  ];
  for (const [name, records] of Object.entries(feeds))
    for (const [by, make] of Object.entries(CARRIERS))
      rows.push(measure(name, by, make(), records, batches, runs));
  process.stdout.write(`${rows.join('\n')}\n`);
}

function measure(
  name: string,
  by: string,
  carry: Carry,
  records: readonly Records[],
  batches: number,
  runs: number,
): string {
  const ns: number[] = [];
  let bytes = 0;
  let count = 0;
  for (let run = 0; run <= runs; run++) {
    globalThis.gc?.();
    [bytes, count] = [0, 0];
    const started = cpuMs();
    for (let i = 0; i < batches; i++) {
      const each = records[i % records.length] as Records;
      bytes += carry(each);
      count += recordCount(each);
    }
    // The first run is not counted: it compiles.
    if (run > 0) ns.push(((cpuMs() - started) * 1e6) / count);
  }
  const sorted = ns.toSorted((a, b) => a - b);
  const [median, least, most] = [sorted[sorted.length >> 1], sorted[0], sorted.at(-1)].map((n) =>
    n?.toFixed(0),
  );
  return `| ${name} | ${by} | ${median} (${least}–${most}) | ${(bytes / count).toFixed(0)} |`;
}

function asRows(records: Records): unknown {
  if (records.kind === 'rows') return records;
  const count = recordCount(records);
  return {
    rows: Array.from({ length: count }, (_, k) => rowAt(records, k)),
    times: Float64Array.from({ length: count }, (_, k) => timeAt(records, k)),
  };
}

function feed(make: () => Records): readonly Records[] {
  return Array.from({ length: FEED_BATCHES }, make);
}

function columns(batch: number, devices: number, isSelected: boolean): Records {
  const builder = new BatchBuilder(Reading);
  const stride = isSelected ? 4 : 1;
  for (let i = 0; i < batch * stride; i++) builder.append(reading(i, devices));
  const selection = Uint16Array.from({ length: batch }, (_, k) => k * stride + Math.floor(random() * stride));
  return { kind: 'columns', batch: builder.finish(), selection: isSelected ? selection : null };
}

function reading(i: number, devices: number): Reading {
  const device = Math.floor(random() * devices);
  return {
    ts: 1_700_000_000_000 + i,
    tenant: `tenant-${device % 8}`,
    device: `device-${String(device).padStart(6, '0')}`,
    temperature: random() * 100,
    vibration: Math.round(random() * 1000) / 100,
    status: device % 4,
  };
}

interface KeyNames {
  readonly tenant: string;
  readonly device: string;
}

/** A window has each key's strings once. */
function namesOf(devices: number): readonly KeyNames[] {
  const tenants = Array.from({ length: 8 }, (_, i) => `tenant-${i}`);
  return Array.from({ length: devices }, (_, i) => ({
    tenant: tenants[i % 8] as string,
    device: `device-${String(i).padStart(6, '0')}`,
  }));
}

function results(batch: number, names: readonly KeyNames[]): Records {
  const start = 1_700_000_000_000;
  const rows = Array.from({ length: batch }, () => {
    const { tenant, device } = names[Math.floor(random() * names.length)] as KeyNames;
    return {
      key: { tenant, device },
      window: { start, end: start + 10_000 },
      value: { n: Math.floor(random() * 100), temp: random() * 100, hot: random() * 100, vib: random() },
    };
  });
  return { kind: 'rows', rows, times: new Float64Array(batch).fill(start + 9_999) };
}
