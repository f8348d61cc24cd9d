import type { Sink, SinkInput } from '#engine';
import { fmix32 } from '#wire';
import { textHash } from './text-hash.ts';

/** One statistic of one sensor's observations. */
export interface Statistic {
  readonly kind: 'average' | 'prediction' | 'moment' | 'distinct';
  readonly sensor: string;
  readonly type: string;
  readonly values: readonly number[];
}

/** What a dataflow publishes: a pack, or a statistic. */
export type Published = string | Statistic;

/** Count and checksum of what was published, whatever its order: the sum of the hashes modulo 2³². */
export class ResultSum {
  rows = 0;
  #sum = 0;

  add(published: Published): void {
    this.rows++;
    this.#sum = (this.#sum + publishedHash(published)) | 0;
  }

  get checksum(): string {
    return (this.#sum >>> 0).toString(16).padStart(8, '0');
  }
}

/** Where jobs publish: exactly-once, in memory, and only summed up. */
export function summingSink<Row extends Published>(sum: ResultSum): Sink<Row, 'exactly-once'> {
  return {
    kind: 'riot-result',
    guarantee: 'exactly-once',
    target: 'memory',
    openWriter: async () => ({
      write(input: SinkInput<Row>) {
        if (input.kind !== 'rows') throw new Error('Results are rows.');
        for (const row of input.rows) sum.add(row);
      },
      prepareCommit: async () => null,
      close: async () => {},
    }),
  };
}

const number = new Float64Array(1);
const words = new Int32Array(number.buffer);

function publishedHash(published: Published): number {
  if (typeof published === 'string') return textHash(published);
  const { kind, sensor, type, values } = published;
  let hash = textHash(type, textHash(sensor, textHash(kind)));
  for (const value of values) {
    number[0] = value;
    hash = fmix32((fmix32(hash ^ (words[0] as number)) + (words[1] as number)) | 0);
  }
  return hash;
}
