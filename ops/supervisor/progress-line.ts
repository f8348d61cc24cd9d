import type { EngineProgress } from './engine-message.ts';

/** One line for people. A dash stands for what is not known yet. */
export function progressLine({ state, figures, checkpointAgeMs, lakeRows, failure }: EngineProgress): string {
  const parts = [
    state,
    `${whole(figures.recordsPerSecond)} events/s`,
    `${whole(figures.windowsFired)} windows`,
    `watermark ${seconds(figures.watermarkLagMs)} behind`,
    `checkpoint ${seconds(checkpointAgeMs)} ago`,
  ];
  if (lakeRows !== null) parts.push(`lake ${whole(lakeRows)} rows`);
  if (figures.lateRecords > 0) parts.push(`${whole(figures.lateRecords)} late`);
  if (figures.deadLetters > 0) parts.push(`${whole(figures.deadLetters)} dead letters`);
  if (failure !== null) parts.push(failure);
  return parts.join(' · ');
}

function whole(value: number | null): string {
  return value === null ? '–' : Math.round(value).toLocaleString('en');
}

function seconds(ms: number | null): string {
  return ms === null ? '–' : `${(ms / 1_000).toFixed(1)} s`;
}
