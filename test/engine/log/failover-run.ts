import { systemClock } from '../../../engine/base/clock.ts';
import { hasCode } from '../../../engine/base/errors.ts';
import type { LogReader, PartitionLog, Position } from '../../../engine/log/partition-log.ts';
import { openRedisPartitionLog } from '../../../engine/log/redis-partition-log.ts';
import { START } from './log-harness.ts';
import { frameOf, Sample, valuesOf } from './test-frames.ts';

export interface FailoverRunOptions {
  readonly url: string;
  readonly partitions: number;
  /** Frames per partition, one record each, and how many are appended between two confirmations. */
  readonly frames: number;
  readonly step: number;
  /** Called once, when a third of the frames is confirmed, between two appends; what it resolves to goes on beside them. */
  readonly disturb: () => Promise<() => Promise<void>>;
}

export interface FailoverOutcome {
  /** Values per partition as the reader gave them, rewound to the last confirmation whenever the log had lost its tail. */
  readonly read: readonly (readonly number[])[];
  /** Values per partition as they stand in the log in the end. */
  readonly stored: readonly (readonly number[])[];
  /** Appends that were answered and lost, and then repeated since no confirmation had come. */
  readonly lostUnconfirmed: number;
  readonly refusedConfirmations: number;
  readonly rewinds: number;
  /** Of appends and confirmation, around the disturbance. */
  readonly longestStepMs: number;
}

/**
 * Appends and reads side by side while something happens to the servers, as a job does: what is confirmed is never sent again, what is
 * not is sent again from where the partition stands.
 */
export async function failoverRun(options: FailoverRunOptions): Promise<FailoverOutcome> {
  const { url, partitions, frames } = options;
  const log = await openRedisPartitionLog({
    url,
    namespace: 'failover',
    clock: systemClock,
    durability: 'replicated',
  });
  await log.createTopic('run', { partitions, schema: Sample });
  await confirmed(log);
  const run = new Run(log, partitions);
  try {
    const reading = run.readUntil(frames);
    let disturbing: Promise<void> | null = null;
    while (run.least < frames) {
      if (disturbing === null && run.least >= frames / 3) disturbing = (await options.disturb())();
      await run.step(Math.min(frames, run.least + options.step));
    }
    await disturbing;
    await reading;
    const stored = new Run(log, partitions);
    await stored.readUntil(frames);
    return { ...run.outcome(), read: run.read, stored: stored.read };
  } finally {
    await log.close();
  }
}

class Run {
  readonly #log: PartitionLog;
  readonly #partitions: readonly number[];
  /** Last value appended and answered, per partition. */
  readonly #appended: number[];
  #confirmed: number[];
  /** Where a reader may start after a loss. */
  #positions: readonly Position[];
  readonly read: number[][];
  #lostUnconfirmed = 0;
  #refused = 0;
  #rewinds = 0;
  #longestStepMs = 0;

  constructor(log: PartitionLog, partitions: number) {
    this.#log = log;
    this.#partitions = Array.from({ length: partitions }, (_, p) => p);
    this.#appended = this.#partitions.map(() => 0);
    this.#confirmed = this.#partitions.map(() => 0);
    this.#positions = this.#partitions.map(() => START);
    this.read = this.#partitions.map(() => []);
  }

  get least(): number {
    return Math.min(...this.#confirmed);
  }

  outcome() {
    return {
      lostUnconfirmed: this.#lostUnconfirmed,
      refusedConfirmations: this.#refused,
      rewinds: this.#rewinds,
      longestStepMs: Math.round(this.#longestStepMs),
    };
  }

  /** Appends up to a value in every partition and confirms it, or finds out what was lost. */
  async step(upTo: number): Promise<void> {
    const beganMs = performance.now();
    await Promise.all(this.#partitions.map((p) => this.#append(p, upTo)));
    const positions = await Promise.all(this.#partitions.map((p) => this.#log.position('run', p, 'latest')));
    const appended = [...this.#appended];
    try {
      await this.#log.confirmDurable();
      this.#confirmed = appended;
      this.#positions = positions;
    } catch (error) {
      if (!hasCode(error, 'MR_CHECKPOINT_NOT_DURABLE')) throw error;
      this.#refused++;
      await Promise.all(this.#partitions.map((p) => this.#takeStock(p)));
    }
    this.#longestStepMs = Math.max(this.#longestStepMs, performance.now() - beganMs);
  }

  async #append(partition: number, upTo: number): Promise<void> {
    while ((this.#appended[partition] as number) < upTo) {
      const from = this.#appended[partition] as number;
      const frames = Array.from({ length: upTo - from }, (_, i) =>
        frameOf({ producer: `p${partition}`, prev: from + i }),
      );
      const answers = await Promise.all(frames.map((frame) => this.#log.append('run', partition, frame)));
      for (const answer of answers) {
        if (answer.kind === 'gap') {
          await this.#takeStock(partition);
          break;
        }
        if (answer.kind !== 'ok' && answer.kind !== 'duplicate') throw new Error(`answered ${answer.kind}`);
        (this.#appended[partition] as number)++;
      }
    }
  }

  /** The partition says what it has. Less than was confirmed must never be. */
  async #takeStock(partition: number): Promise<void> {
    const last = (await this.#log.producerState('run', partition, `p${partition}`))?.last ?? 0;
    const confirmedUpTo = this.#confirmed[partition] as number;
    if (last < confirmedUpTo)
      throw new Error(`partition ${partition} has ${last} of ${confirmedUpTo} confirmed`);
    this.#lostUnconfirmed += Math.max(0, (this.#appended[partition] as number) - last);
    this.#appended[partition] = last;
  }

  async readUntil(frames: number): Promise<void> {
    let reader = await this.#open();
    try {
      while (this.read.some(({ length }) => length < frames)) {
        const frame = reader.take();
        if (frame !== null) (this.read[frame.partition] as number[]).push(...valuesOf(frame.bytes));
        else if (reader.failure === null) await Promise.race([reader.ready(), systemClock.sleep(200)]);
        else if (hasCode(reader.failure, 'MR_LOG_ROLLED_BACK')) reader = await this.#rewind(reader);
        else throw reader.failure;
      }
    } finally {
      await reader.close();
    }
  }

  async #rewind(reader: LogReader): Promise<LogReader> {
    await reader.close();
    this.#rewinds++;
    for (const [p, values] of this.read.entries()) values.length = (this.#positions[p] as Position).offset;
    return await this.#open();
  }

  #open(): Promise<LogReader> {
    const positions = new Map(this.#partitions.map((p) => [p, this.#positions[p] as Position]));
    return this.#log.openReader({ topic: 'run', positions });
  }
}

async function confirmed(log: PartitionLog): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await log.confirmDurable();
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}
