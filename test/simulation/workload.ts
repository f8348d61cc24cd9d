import { BatchBuilder, encodeFrame } from '#wire';
import { EPOCH_MS } from './process.ts';
import type { SimKernel } from './kernel.ts';
import { CLOSING, Reading } from './simulated-job.ts';

/** Frames of one producer for one partition, cut once: what is sent again is the same bytes. */
export interface Lane {
  readonly partition: number;
  readonly frames: readonly LaneFrame[];
}

export interface LaneFrame {
  readonly bytes: Uint8Array;
  /** Sequences of its records. */
  readonly first: number;
  readonly last: number;
  /** When its records are there, virtual ms. */
  readonly atMs: number;
}

export interface Workload {
  /** Real records by number; closing ones are not among them. */
  readonly readings: readonly Reading[];
  /** By producer. */
  readonly lanes: ReadonlyMap<string, readonly Lane[]>;
}

/** Of both producers over all partitions, about. */
const RECORDS = 2_000;
const FRAME_RECORDS = 50;
export const PRODUCERS: readonly string[] = ['gateway-1', 'gateway-2'];
/** Event time that the records span. */
export const SPAN_MS = 6_000;
const DEVICES = 6;
/** Event time between the last record and those that close the windows. */
const CLOSING_MS = 60_000;

/** About 2,000 records of two producers over so many partitions, mostly in order, some late. */
export function createWorkload(kernel: SimKernel, partitions: number): Workload {
  const perLane = Math.round(RECORDS / PRODUCERS.length / partitions);
  const random = kernel.random('workload');
  const readings: Reading[] = [];
  const draw = (i: number): Reading => {
    const lateMs = random() < 0.02 ? random() * 3_000 : random() * 400;
    const atMs = (i / perLane) * SPAN_MS;
    const reading: Reading = {
      ts: EPOCH_MS + Math.max(0, Math.round(atMs - lateMs)),
      device: `device-${Math.floor(random() * DEVICES)}`,
      number: readings.length,
      value: Math.round(random() * 1_000),
    };
    readings.push(reading);
    return reading;
  };
  const lanes = new Map<string, Lane[]>();
  for (const producer of PRODUCERS)
    lanes.set(
      producer,
      Array.from({ length: partitions }, (_, partition) =>
        createLane({ producer, partition, perLane, draw }),
      ),
    );
  return { readings, lanes };
}

function createLane({
  producer,
  partition,
  perLane,
  draw,
}: {
  readonly producer: string;
  readonly partition: number;
  readonly perLane: number;
  readonly draw: (i: number) => Reading;
}): Lane {
  const builder = new BatchBuilder(Reading);
  const frames: LaneFrame[] = [];
  const cut = (prev: number, atMs: number) => {
    const first = prev + 1;
    const last = prev + builder.count;
    const bytes = encodeFrame(builder.finish(), { producer, epoch: 1, prev, first });
    frames.push({ bytes, first, last, atMs });
  };
  for (let i = 0; i < perLane; i++) {
    builder.append(draw(i));
    if ((i + 1) % FRAME_RECORDS === 0) cut(i + 1 - FRAME_RECORDS, ((i + 1) / perLane) * SPAN_MS);
  }
  builder.append({ ts: EPOCH_MS + SPAN_MS + CLOSING_MS, device: CLOSING, number: -1, value: 0 });
  cut(perLane, SPAN_MS);
  return { partition, frames };
}
