import type { Operator, OperatorDefinition } from '#engine';
import { count, max, min, p99, session, sum } from '#operators';
import { BatchBuilder, decodeFrame, encodeFrame, eventTime, f64, schema, seededRandom, string } from '#wire';
import { planCells } from '../../operators/window/cells.ts';
import { sessionAggregate } from '../../operators/window/session-operator.ts';
import { windowAggregate } from '../../operators/window/window-operator.ts';
import type { CheckpointWorkload } from './outcome.ts';
import { measureSnapshots } from './measure.ts';

const Measure = schema('checkpoint', {
  ts: eventTime(1),
  tenant: string(2),
  device: string(3),
  value: f64(4),
});

const BATCH_RECORDS = 1_000;
const TENANTS = 100;
const START_MS = 1_700_000_000_000;

const FIGURES = { n: count(), total: sum('value'), least: min('value'), most: max('value') };
const aggregates = planCells(FIGURES);

export const windows: CheckpointWorkload = {
  title: 'one tumbling window per key of two strings: count, sum, minimum, maximum',
  run: (keys, snapshots) => measure(tumblingOf(aggregates), keys, snapshots),
};

export const sketches: CheckpointWorkload = {
  title: 'the same with a sketch for the 99th percentile',
  run: (keys, snapshots) =>
    measure(tumblingOf(planCells({ ...FIGURES, high: p99('value') })), keys, snapshots),
};

export const sessions: CheckpointWorkload = {
  title: 'one session per key of two strings: count, sum, minimum, maximum',
  run: (keys, snapshots) =>
    measure(
      sessionAggregate({
        windows: session('1h'),
        allowedLatenessMs: 0,
        plan: aggregates,
        fold: null,
      }),
      keys,
      snapshots,
    ),
};

function tumblingOf(plan: ReturnType<typeof planCells>): OperatorDefinition<Operator> {
  const day = { kind: 'tumbling', sizeMs: 86_400_000, offsetMs: 0 } as const;
  return windowAggregate({ windows: day, allowedLatenessMs: 0, plan, fold: null });
}

function measure(definition: OperatorDefinition<Operator>, keys: number, snapshots: number) {
  return measureSnapshots({
    definition,
    keyFields: ['tenant', 'device'],
    keys,
    snapshots,
    frames: framesOf(keys),
    decode: (frame) => decodeFrame(frame, () => Measure).batch,
  });
}

/** Every key once, in an order of its own. */
function framesOf(keys: number): Uint8Array[] {
  const random = seededRandom(42);
  const order = Int32Array.from({ length: keys }, (_, i) => i);
  for (let i = keys - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [order[i], order[other]] = [order[other] as number, order[i] as number];
  }
  const builder = new BatchBuilder(Measure);
  const frames: Uint8Array[] = [];
  for (const [i, key] of order.entries()) {
    builder.append({
      ts: START_MS + (i % 1_000),
      tenant: `tenant-${key % TENANTS}`,
      device: `device-${key}`,
      value: key % 1_000,
    });
    if (builder.count < BATCH_RECORDS && i < keys - 1) continue;
    const [prev, first] = [i + 1 - builder.count, i + 2 - builder.count];
    const head = { producer: 'bench', epoch: 1, prev, first, watermark: Number.NaN } as const;
    frames.push(encodeFrame(builder.finish(), { ...head, compression: 'none' }));
  }
  return frames;
}
