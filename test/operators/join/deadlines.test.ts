import fc from 'fast-check';
import t from 'tap';
import { Deadlines } from '../../../operators/join/deadlines.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const step = fc.oneof(
  fc.record({ kind: fc.constant('arm' as const), entry: fc.nat(5), time: fc.integer({ min: -9, max: 9 }) }),
  fc.record({
    kind: fc.constantFrom('take' as const, 'drain' as const),
    watermark: fc.integer({ min: -9, max: 9 }),
  }),
);

void t.test(
  'DL1: an entry comes once, at the earliest time it was armed for since it was taken',
  async (test) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const deadlines = new Deadlines();
        const armed = new Map<number, number>();
        for (const it of steps) {
          if (it.kind === 'arm') {
            deadlines.arm(it.entry, it.time);
            armed.set(it.entry, Math.min(it.time, armed.get(it.entry) ?? it.time));
          } else if (it.kind === 'drain') {
            const due = [...armed].filter(([, time]) => time <= it.watermark);
            const taken: number[] = [];
            deadlines.drain(it.watermark, (entry) => taken.push(entry));
            const times = taken.map((entry) => armed.get(entry) ?? Number.NaN);
            if (taken.length !== due.length || new Set(taken).size !== due.length) return false;
            if (times.some((time, i) => !(time <= it.watermark) || time < (times[i - 1] ?? time)))
              return false;
            for (const entry of taken) armed.delete(entry);
          } else {
            const earliest = Math.min(...armed.values());
            const entry = deadlines.take(it.watermark);
            if (earliest > it.watermark) {
              if (entry !== -1) return false;
            } else if (armed.get(entry) !== earliest) return false;
            else armed.delete(entry);
          }
          if (deadlines.size !== armed.size) return false;
        }
        return true;
      }),
      { numRuns: propertyRuns(500) },
    );
    test.pass();
  },
);
