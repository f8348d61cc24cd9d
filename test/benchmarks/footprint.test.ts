import t from 'tap';
import { runFootprint } from '../../benchmarks/footprint/run.ts';
import { findRedisServer } from '../../ops/setup/find-redis.mjs';

void t.test(
  'a short run has a result for each part, and what it adds up is right',
  { skip: findRedisServer() === null ? 'no redis-server or valkey-server is installed' : false },
  async (test) => {
    const lines: string[] = [];
    const events = 20_000;
    const { startUp, idle, bytes } = await runFootprint({
      runs: 1,
      idleSeconds: 1,
      events,
      forms: ['script'],
      print: (line) => lines.push(line),
    });
    test.same(
      startUp.map(({ compileCache }) => compileCache),
      ['warm', 'cold'],
    );
    for (const { runsMs, medianMs, medianCpuMs } of startUp) {
      test.equal(runsMs.length, 1);
      test.ok(medianMs > 0 && medianMs === runsMs[0] && medianCpuMs > 0);
    }
    test.equal(idle.length, 1);
    for (const { rssMiB, bareRssMiB, beyondBareMiB, threads, bareThreads } of idle) {
      test.ok(rssMiB > bareRssMiB && bareRssMiB > 0);
      test.equal(beyondBareMiB, rssMiB - bareRssMiB);
      test.ok(threads >= bareThreads && bareThreads > 0);
    }
    const { frame, redis, lake } = bytes;
    test.equal(Math.round(frame.frames * frame.recordsPerFrame), events);
    const columns = frame.columns.reduce((sum, { perEvent }) => sum + perEvent, 0);
    test.ok(columns <= frame.bodyPerEvent && columns > frame.bodyPerEvent * 0.98, 'columns make up the body');
    test.ok(frame.perEvent < frame.bodyPerEvent && frame.perEvent > frame.envelopePerEvent);
    // Of few events, what the server frees meanwhile hides what they take of its memory.
    test.ok(redis.streamPerEvent >= frame.perEvent && Number.isFinite(redis.usedMemoryPerEvent));
    test.equal(lake.rows, events);
    test.ok(lake.rowGroups >= lake.files && lake.files === 1);
    const parquet = lake.columns.reduce((sum, { perEvent }) => sum + perEvent, 0);
    test.ok(parquet <= lake.perEvent && parquet > lake.perEvent * 0.9, 'columns make up the file');
    test.match(lines.join('\n'), /goal ≤ 12/);
  },
);
