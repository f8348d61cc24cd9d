import fc from 'fast-check';
import t from 'tap';
import { createFleet, FleetReading, type FleetOptions } from '../../edge-forwarder/fleet.ts';
import { fleetInput, fleetOrigin, fleetStartMs } from '../../edge-forwarder/fleet-input.ts';
import type { InputPort } from '../../edge-forwarder/input.ts';
import { Reading } from '../../jobs/device-telemetry/reading.ts';
import { BatchBuilder, type Clock } from '#wire';

const OPTIONS: FleetOptions = {
  seed: 11,
  devices: 37,
  tenants: 3,
  sitesPerTenant: 2,
  rate: 1_000,
  startMs: 1_760_000_000_000,
  outOfOrderMs: 400,
  lateShare: 0.05,
  lateMs: 9_000,
  faultShare: 0.2,
};

await t.test('it sends what the device telemetry job reads', (t) => {
  t.equal(FleetReading.id, Reading.id);
  const builder = new BatchBuilder(Reading);
  const fleet = createFleet(OPTIONS);
  for (let i = 0; i < 2_000; i++) builder.append(fleet.readingAt(i));
  t.equal(builder.finish().count, 2_000);
  t.end();
});

await t.test('a record depends on the options and its index alone', (t) => {
  const inOrder = take(OPTIONS, 0, 3_000);
  fc.assert(
    fc.property(fc.array(fc.nat(2_999), { minLength: 1, maxLength: 50 }), (indexes) => {
      const fleet = createFleet(OPTIONS);
      for (const i of indexes)
        if (JSON.stringify(fleet.readingAt(i)) !== JSON.stringify(inOrder[i])) return false;
      return true;
    }),
    { numRuns: 50 },
  );
  t.notSame(take({ ...OPTIONS, seed: 12 }, 0, 100), inOrder.slice(0, 100));
  t.end();
});

await t.test('every device sends once per round, and lateness keeps its bounds', (t) => {
  const readings = take(OPTIONS, 0, 37 * 100);
  for (let round = 0; round < 100; round++) {
    t.equal(new Set(readings.slice(round * 37, (round + 1) * 37).map((r) => r.deviceId)).size, 37);
  }
  let late = 0;
  for (const [i, { ts }] of readings.entries()) {
    const behind = OPTIONS.startMs + i - ts;
    if (behind < 0 || behind > OPTIONS.lateMs + 1) t.fail(`record ${i} is ${behind} ms behind`);
    if (behind > OPTIONS.outOfOrderMs + 1) late++;
  }
  t.ok(late > 100 && late < 260, `${late} of 3700 are late (5 %, less those late by little)`);
  t.ok(
    readings.some((r) => r.status === 'warning'),
    'there are faults',
  );
  t.ok(readings.some((r) => r.vibration === null) && readings.some((r) => r.vibration !== null));
  const temperatures = readings.map((r) => r.temperature ?? Number.NaN);
  t.ok(temperatures.every((v) => v > -20 && v < 120));
  t.end();
});

await t.test('pace and restarts do not change the records', async (t) => {
  const expected = take(OPTIONS, 0, 5_000);
  t.same(await play('asFastAsPossible', 0), expected);
  t.same(await play('realtime', 0), expected);
  t.same(await play('asFastAsPossible', 1_234), expected.slice(1_234));
});

await t.test('realtime sends no record before its time', async (t) => {
  const clock = steppingClock(OPTIONS.startMs, 10);
  let index = 0;
  await fleetInput({ ...OPTIONS, pace: 'realtime', recordsMax: 500, clock }).run(
    port(0, () => {
      if (clock.now() < OPTIONS.startMs + index)
        t.fail(`record ${index} at ${clock.now() - OPTIONS.startMs} ms`);
      index++;
    }),
    new AbortController().signal,
  );
  t.equal(index, 500);
});

await t.test('the start of a stored origin is found again', (t) => {
  t.equal(fleetStartMs(fleetOrigin(OPTIONS)), OPTIONS.startMs);
  t.not(fleetOrigin(OPTIONS), fleetOrigin({ ...OPTIONS, devices: 38 }));
  t.end();
});

function take(options: FleetOptions, from: number, to: number): FleetReading[] {
  const fleet = createFleet(options);
  return Array.from({ length: to - from }, (_, i) => ({ ...fleet.readingAt(from + i) }));
}

async function play(pace: 'realtime' | 'asFastAsPossible', position: number): Promise<FleetReading[]> {
  const readings: FleetReading[] = [];
  const clock = steppingClock(OPTIONS.startMs, 250);
  const input = fleetInput({ ...OPTIONS, pace, recordsMax: 5_000, clock });
  await input.run(
    port(position, (row) => readings.push({ ...row })),
    new AbortController().signal,
  );
  return readings;
}

function port(position: number, accept: (row: FleetReading) => void): InputPort<FleetReading> {
  return { position, accept, reject: () => undefined, skip: () => undefined, blocked: () => null };
}

/** Time moves by `stepMs` with every sleep. */
function steppingClock(startMs: number, stepMs: number): Clock {
  let ms = startMs;
  return {
    now: () => ms,
    monotonic: () => ms,
    after: () => () => undefined,
    sleep: () => {
      ms += stepMs;
      return Promise.resolve();
    },
    yieldTurn: () => Promise.resolve(),
  };
}
