import type { Percentiles } from './delays.ts';
import type { LatencyOutcome, WindowStages } from './outcome.ts';

/** An outcome for people. */
export function outcomeText(outcome: LatencyOutcome): string[] {
  const { settings, engineDelay, goalP99Ms, cpuSeconds, frameAge, threadBusyShare } = outcome;
  const { seconds, rate } = settings;
  const share = (cpu: number) => `${cpu.toFixed(1)} s (${((100 * cpu) / seconds).toFixed(0)} %)`;
  const goal =
    goalP99Ms === null
      ? ''
      : `; goal p99 < ${goalP99Ms} ms: ${engineDelay.p99Us < goalP99Ms * 1_000 ? 'met' : 'missed'}`;
  return [
    `${settings.partitions} partitions, ${settings.producers} producers, linger ${settings.lingerMs} ms, windows of ${settings.windowMs / 1_000} s, out of order ${settings.outOfOrdernessMs / 1_000} s, checkpoints every ${settings.checkpointIntervalMs / 1_000} s, parallelism ${settings.parallelism}, ${settings.guarantee}, all sinks; Redis without persistence`,
    '',
    `engine delay    ${percentilesText(engineDelay)}, ${engineDelay.count} points of ${outcome.windows.length} windows${goal}`,
    `                emit: ${settings.emit}`,
    `generator lag   ${percentilesText(outcome.generatorLag)}, ${outcome.generatorLag.count} records`,
    ...(frameAge === null
      ? []
      : [`newest record until taken   ${percentilesText(frameAge)}, ${frameAge.count} frames`]),
    `CPU of ${seconds} s     generator ${share(cpuSeconds.generator)}, engine ${share(cpuSeconds.engine)}, Redis ${share(cpuSeconds.redis)}, observer ${share(cpuSeconds.observer)}; ${((cpuSeconds.engine * 1e6) / (outcome.recordsTaken ?? seconds * rate)).toFixed(2)} µs of the engine per record${threadBusyShare === null ? '' : `, its thread busy ${(threadBusyShare * 100).toFixed(0)} %`}`,
    `${outcome.records} records in ${outcome.frames} frames, ${outcome.bytesPerRecord.toFixed(1)} bytes each; all counted once, ${outcome.lakeRows} rows in the lake, ${outcome.restarts} restarts`,
    '',
    'ms after a window was due, last lane or point:',
    '| window | cut | acknowledged | taken | first sent | last sent | last acknowledged | first seen | last seen | CPU to fire | CPU to send | checkpoint since |',
    '|---|---|---|---|---|---|---|---|---|---|---|---|',
    ...outcome.windows.map(stagesText),
    ...outcome.void.map((why) => `VOID: ${why}`),
  ];
}

function percentilesText({ p50Us, p90Us, p99Us, p999Us, maxUs }: Percentiles): string {
  const ms = (us: number) => (us / 1_000).toFixed(2);
  return `p50 ${ms(p50Us)}, p90 ${ms(p90Us)}, p99 ${ms(p99Us)}, p99.9 ${ms(p999Us)}, max ${ms(maxUs)} ms`;
}

function stagesText(stages: WindowStages): string {
  const { windowStart, points: _, ...times } = stages;
  const cells = Object.values(times).map((ms) => (ms === null ? '–' : ms.toFixed(1)));
  return `| ${new Date(windowStart).toISOString().slice(11, 19)} | ${cells.join(' | ')} |`;
}
