import t from 'tap';
import { fill, runDrain } from '../../benchmarks/t1/drain.ts';
import { runEngineOnly } from '../../benchmarks/t1/engine.ts';
import { Measure } from '../../benchmarks/t1/workload.ts';
import { BatchBuilder, encodeFrame } from '#wire';
import { startRedis } from '../support/redis-server.ts';

const FRAMES = 25;
const FRAME_RECORDS = 100;
const EVENTS = FRAMES * FRAME_RECORDS;
const START_MS = 1_700_000_000_000;

/** Twenty-five seconds, so that two windows close; values with as many digits as a double has. */
function frames(): readonly Uint8Array[] {
  const builder = new BatchBuilder(Measure);
  return Array.from({ length: FRAMES }, (_, frame) => {
    for (let i = 0; i < FRAME_RECORDS; i++) {
      const n = frame * FRAME_RECORDS + i;
      const values = {
        temperature: 20 + n / 7,
        humidity: 50 - n / 3,
        pressure: 1_000 + n,
        battery: 1 / (n + 1),
      };
      builder.append({ ts: START_MS + n * 10, device: `device-${n % 17}`, ...values });
    }
    const first = frame * FRAME_RECORDS + 1;
    return encodeFrame(builder.finish(), {
      producer: 't1',
      epoch: 1,
      prev: first - 1,
      first,
      watermark: Number.NaN,
      compression: 'none',
    });
  });
}

void t.test('T1 gives the same from memory, from frames in Redis and from entries of JSON', async (test) => {
  const { url, stop } = await startRedis();
  test.teardown(() => stop());
  const memory = await runEngineOnly('built-in', frames(), EVENTS);
  test.equal(memory.rows, 2 * 17);
  for (const form of ['frames', 'json'] as const) {
    await fill(form, frames(), EVENTS, url);
    for (const run of ['first', 'second']) {
      const outcome = await runDrain(form, EVENTS, url);
      test.equal(outcome.rows, memory.rows, `${form}, ${run}`);
      test.equal(outcome.digest, memory.digest, `${form}, ${run}`);
      test.ok((outcome.serverCpuMs ?? 0) > 0, `${form}, ${run}: the server's own CPU`);
    }
  }
});

void t.test('T1 gives the same however its job is written', async (test) => {
  const { digest } = await runEngineOnly('built-in', frames(), EVENTS);
  for (const form of ['plain-functions', 'process', 'interpreted'] as const)
    test.equal((await runEngineOnly(form, frames(), EVENTS)).digest, digest, form);
});
