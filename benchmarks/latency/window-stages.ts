import type { Crossing } from './crossings.ts';
import type { Percentiles } from './delays.ts';
import type { CheckpointSpan, EngineReport } from './engine.ts';
import type { GeneratorReport } from './generator.ts';
import type { WindowStages } from './outcome.ts';
import type { WindowDelay } from './series-delays.ts';
import { dueOf, type LatencySettings } from './settings.ts';

const LAG_P999_MAX_US = 5_000;

/** Puts what the processes saw of each window together. */
export function windowStages(
  { windowMs }: Pick<LatencySettings, 'windowMs'>,
  windows: readonly WindowDelay[],
  generator: GeneratorReport,
  engine: EngineReport | null,
): WindowStages[] {
  return windows.map(({ windowStart, points, firstMs, lastMs }) => {
    const dueMs = dueOf(windowStart, windowMs);
    const after = (atMs: number | undefined) => (atMs === undefined ? null : atMs - dueMs);
    const written = engine?.written.find((one) => one.windowStart === windowStart);
    return {
      windowStart,
      points,
      cutMs: after(lastLane(generator.cut, windowStart)),
      acknowledgedMs: after(lastLane(generator.acknowledged, windowStart)),
      takenMs: after(lastLane(engine?.taken ?? [], windowStart)),
      firstSentMs: after(written?.firstSentMs),
      lastSentMs: after(written?.lastSentMs),
      lastAcknowledgedMs: after(written?.lastAcknowledgedMs),
      firstSeenMs: firstMs,
      lastSeenMs: lastMs,
      fireCpuMs: written?.fireCpuMs ?? null,
      sendCpuMs: written?.sendCpuMs ?? null,
      checkpointMs: after(checkpointDuring(engine?.checkpoints ?? [], dueMs, dueMs + lastMs)?.triggeredAtMs),
    };
  });
}

/** Why a run does not count: a generator that is late itself would hide, or make, what is measured. */
export function voidReasons(lag: Percentiles, delay: Percentiles): string[] {
  const ms = (us: number) => `${(us / 1_000).toFixed(2)} ms`;
  const reasons: string[] = [];
  if (lag.p999Us > LAG_P999_MAX_US)
    reasons.push(`the generator's lag p99.9 is ${ms(lag.p999Us)}, more than ${ms(LAG_P999_MAX_US)}`);
  if (lag.p999Us > delay.p99Us / 10)
    reasons.push(
      `the generator's lag p99.9 is ${ms(lag.p999Us)}, more than a tenth of the delay's p99, ${ms(delay.p99Us)}`,
    );
  return reasons;
}

/** When the last lane was through; undefined while one is missing. With few devices some lanes have none. */
function lastLane(crossings: readonly Crossing[], windowStart: number): number | undefined {
  const lanes = Math.max(...crossings.map((one) => one.lanes));
  return crossings.find((one) => one.windowStart === windowStart && one.lanes === lanes)?.atMs;
}

function checkpointDuring(
  checkpoints: readonly CheckpointSpan[],
  fromMs: number,
  toMs: number,
): CheckpointSpan | undefined {
  return checkpoints.find(
    ({ triggeredAtMs, durationMs }) => triggeredAtMs <= toMs && triggeredAtMs + durationMs >= fromMs,
  );
}
