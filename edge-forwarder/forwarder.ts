/**
 * The edge forwarder: input → frames → outbox → partition log, each record exactly once.
 *
 * Owns: the life of its parts and their wiring. Starts without a network: the log is only needed to deliver, and, where the
 * number of partitions was never told, to learn it.
 *
 * FW1  After a kill at any instant a restart on the same outbox goes on with the next record: none lost, none twice.
 * FW2  A stop stores what was accepted and ends; at the end of its input the forwarder first waits until the log has it all.
 * FW3  An outbox belongs to one (namespace, topic, producer, schema, key, key groups, partitions); any other use of it is refused.
 * FW4  A topic that names its partitioner is delivered to only by frames that this partitioner filled.
 */
import {
  type Clock,
  keyPartitioner,
  MillraceError,
  type PartitionedBy,
  partitioningText,
  type Random,
  samePartitioning,
  type Schema,
} from '#wire';
import { Delivery, type DeliveryStats } from './delivery.ts';
import { FrameStage } from './frame-stage.ts';
import type { Backpressure } from './full-partitions.ts';
import { type HeldFacts, HeldReport } from './held-report.ts';
import type { Input } from './input.ts';
import { Intake } from './intake.ts';
import { Outbox, type OutboxCounters } from './outbox.ts';
import { PendingAge } from './pending-age.ts';
import { RedisLink, type TopicFacts } from './redis-link.ts';
import { RejectsFile } from './rejects.ts';

/** How often a commit's sync is paid for, in ms. */
export const COMMIT_INTERVAL_MS = { safe: 50, balanced: 200, flash: 1_000 } as const;
const MAINTENANCE_MS = 1_000;
/** How long a stop waits until it is known that nobody is held here any more. */
const LAST_WORD_MS = 300;
const STAGED_BYTES_MAX = 4 * 1024 * 1024;

export interface ForwarderOptions<Row> {
  /** `redis://…`, `rediss://…`, or the path of a unix socket. */
  readonly redisUrl: string;
  readonly namespace: string;
  readonly topic: string;
  /** Unique per outbox. */
  readonly producer: string;
  readonly schema: Schema<Row>;
  /** Fields whose values choose the partition, over so many key groups (see keyPartitioner). */
  readonly key: PartitionedBy;
  /** Partitions of the topic, where records are to be taken before the log was ever reached. */
  readonly partitions?: number;
  readonly outbox: {
    readonly directory: string;
    readonly bytesMax: number;
    readonly whenFull: 'block' | 'drop-oldest';
    readonly graceMs: number;
    readonly graceBytesMax: number;
  };
  readonly profile: keyof typeof COMMIT_INTERVAL_MS;
  readonly frameRecords: number;
  readonly frameBytes: number;
  readonly compression: 'none' | 'zstd';
  /** Event times are at most this much out of order per partition: frames then carry a watermark. Default: they carry none. */
  readonly watermark?: { readonly outOfOrdernessMs: number };
  readonly rejectsBytesMax: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly onAlarm: (text: string) => void;
}

/** Everything that is known about a run. Records, unless named otherwise. */
export interface ForwarderStats extends DeliveryStats {
  readonly accepted: number;
  readonly rejected: number;
  readonly commits: number;
  readonly pending: number;
  readonly pendingBytes: number;
  /** How long the oldest of them has waited at least, to a second; null when none does. */
  readonly oldestPendingMs: number | null;
  /** The partitions that have no room, and since when; null when all have. */
  readonly backpressured: Backpressure | null;
  /** For how long some had none. */
  readonly backpressuredMs: number;
  /** The outbox is full as well. */
  readonly inputHeld: boolean;
  readonly droppedDeclared: number;
  readonly bytesPerRecord: number;
  readonly state: string;
  /** Over the life of the outbox. */
  readonly lifetime: Readonly<OutboxCounters>;
}

export class Forwarder<Row> {
  readonly #options: ForwarderOptions<Row>;
  readonly outbox: Outbox;
  readonly #link: RedisLink;
  readonly #delivery: Delivery;
  readonly #held: HeldReport;
  readonly #age = new PendingAge();
  readonly #droppedBefore: number;
  readonly #stop = new AbortController();
  #intake: Intake<Row> | null = null;
  #partitions: number | null;
  #failure: unknown = null;
  #changed: () => void = () => undefined;

  /** Opens the outbox and starts connecting. @throws MR_EDGE_OUTBOX, MR_CONFIG_INVALID */
  constructor(options: ForwarderOptions<Row>) {
    this.#options = options;
    const { clock, random, producer, topic, namespace, schema } = options;
    this.outbox = new Outbox({ ...options.outbox, clock });
    if (this.outbox.quarantined !== null) {
      options.onAlarm(
        `the outbox was damaged and is kept as ${this.outbox.quarantined}; starting a new one under a new epoch`,
      );
    }
    this.#droppedBefore = this.outbox.counters.dropped;
    this.#partitions = this.#boundPartitions();
    this.#link = new RedisLink({ url: options.redisUrl, namespace, topic, producer, random });
    this.#held = new HeldReport(this.#link);
    this.#delivery = new Delivery({
      outbox: this.outbox,
      link: this.#link,
      topic,
      producer,
      schema,
      clock,
      random,
      onContact: (topic) => this.#contact(topic),
      onConfirmed: () => this.#confirmed(),
      onAlarm: options.onAlarm,
    });
  }

  get stats(): ForwarderStats {
    const { counters, pendingRecords, pendingBytes } = this.outbox;
    const { stats, full } = this.#delivery;
    const inputHeld = this.#intake?.full === true;
    return {
      ...stats,
      accepted: this.#intake?.accepted ?? 0,
      rejected: this.#intake?.rejected ?? 0,
      commits: this.#intake?.commits ?? 0,
      pending: pendingRecords,
      pendingBytes,
      oldestPendingMs: this.#age.oldestMs(this.outbox.lanes(), this.#options.clock.monotonic()),
      backpressured: full.current,
      backpressuredMs: full.totalMs,
      inputHeld,
      droppedDeclared: counters.dropped - this.#droppedBefore,
      bytesPerRecord: stats.delivered === 0 ? 0 : stats.deliveredBytes / stats.delivered,
      state: inputHeld ? `outbox full; ${this.#delivery.state}` : this.#delivery.state,
      lifetime: { ...counters },
    };
  }

  /**
   * Runs `input` to its end, or until `signal` aborts. Once per forwarder.
   * @param drain at the end of input wait until everything is confirmed; `signal` ends the waiting
   * @throws what ends a delivery or a commit; the outbox is closed and holds all that was committed
   */
  async run(input: Input<Row>, signal: AbortSignal, drain: boolean): Promise<void> {
    const stop = () => this.#stopAll();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const delivering = this.#delivery.run(this.#stop.signal).catch((error: unknown) => this.#fail(error));
    const cancelMaintenance = this.#maintain();
    try {
      await this.#readAll(input);
      if (drain) await this.#until(() => this.outbox.pendingRecords === 0);
    } finally {
      cancelMaintenance();
      this.#stopAll();
      await this.#held.end(this.#options.clock, LAST_WORD_MS);
      this.#link.close();
      await delivering;
      signal.removeEventListener('abort', stop);
      this.outbox.close();
    }
    if (this.#failure !== null) throw this.#failure;
  }

  async #readAll(input: Input<Row>): Promise<void> {
    await this.#until(() => this.#partitions !== null);
    if (this.#partitions === null) return; // stopped before the first contact
    const intake = this.#openIntake(input, this.#partitions);
    this.#intake = intake;
    await input.run(intake.port, this.#stop.signal);
    if (!intake.commit() && !this.#stop.signal.aborted) await this.#until(() => !intake.full);
  }

  #openIntake(input: Input<Row>, partitions: number): Intake<Row> {
    const { outbox, schema, clock, profile, key } = this.#options;
    return new Intake({
      outbox: this.outbox,
      stage: this.#openStage(partitions),
      rejects: new RejectsFile(outbox.directory, this.#options.rejectsBytesMax, clock),
      partitioner: keyPartitioner(schema, key.fields, partitions, key.keyGroups),
      input,
      clock,
      commitIntervalMs: COMMIT_INTERVAL_MS[profile],
      stagedBytesMax: Math.min(STAGED_BYTES_MAX, Math.floor(outbox.bytesMax / 4)),
      onStored: () => {
        this.#delivery.wake();
        this.#changed();
      },
      onFailure: (error) => this.#fail(error),
    });
  }

  #openStage(partitions: number): FrameStage<Row> {
    const { schema, producer, frameRecords, frameBytes, compression, watermark } = this.#options;
    return new FrameStage({
      schema,
      producer,
      partitions,
      frameRecords,
      frameBytes,
      compression,
      outOfOrdernessMs: watermark?.outOfOrdernessMs ?? null,
      lane: (partition) => this.outbox.lane(partition),
    });
  }

  /** FW3: what the outbox is bound to, or binds it. Null: the partitions are not known yet. */
  #boundPartitions(): number | null {
    const { partitions: told } = this.#options;
    const stored = this.outbox.fact('partitions');
    const identity = this.#identity();
    const bound = this.outbox.fact('identity');
    if (bound !== null && bound !== identity) {
      throw new MillraceError(
        'MR_CONFIG_INVALID',
        `The outbox belongs to ${bound}, asked for ${identity}. Give --outbox another directory.`,
      );
    }
    if (bound === null) this.outbox.setFact('identity', identity);
    const partitions = stored === null ? (told ?? null) : Number(stored);
    if (told !== undefined && told !== partitions) {
      throw new MillraceError(
        'MR_CONFIG_INVALID',
        `The outbox holds frames for ${partitions} partitions, asked for ${told}. Leave --partitions out.`,
      );
    }
    if (stored === null && partitions !== null) this.outbox.setFact('partitions', String(partitions));
    return partitions;
  }

  #identity(): string {
    const { namespace, topic, producer, schema, key } = this.#options;
    return `topic '${topic}' in '${namespace}' as producer '${producer}' with schema '${schema.name}' ${schema.id}, partitioned by ${partitioningText(key)}`;
  }

  #contact({ partitions, partitionedBy }: TopicFacts): void {
    const { topic, key } = this.#options;
    if (partitionedBy !== null && !samePartitioning(partitionedBy, key))
      throw misplacing(topic, partitionedBy, key);
    if (this.#partitions === null) {
      this.outbox.setFact('partitions', String(partitions));
      this.#partitions = partitions;
      this.#changed();
    }
    if (this.#partitions === partitions) return;
    throw new MillraceError(
      'MR_LOG_TOPIC_MISMATCH',
      `Topic '${topic}' has ${partitions} partitions, the outbox was filled for ${this.#partitions}. ` +
        'Its frames cannot be delivered there; correct --topic, or start with another --outbox and the right --partitions.',
    );
  }

  #confirmed(): void {
    this.#intake?.retry();
    this.#changed();
  }

  #maintain(): () => void {
    let cancel = () => {};
    const again = () => {
      cancel = this.#options.clock.after(MAINTENANCE_MS, () => {
        try {
          this.outbox.maintain();
          this.#age.look(this.outbox.lanes(), this.#options.clock.monotonic());
          this.#held.update(this.#heldFacts(), this.#options.clock.monotonic());
          again();
        } catch (error) {
          this.#fail(error);
        }
      });
    };
    again();
    return () => cancel();
  }

  #heldFacts(): HeldFacts | null {
    const { backpressured, pending, pendingBytes, oldestPendingMs, inputHeld } = this.stats;
    if (backpressured === null) return null;
    const waiting = { pendingRecords: pending, pendingBytes, oldestMs: oldestPendingMs, inputHeld };
    const { since, partitions } = backpressured;
    return { heldMs: Math.max(0, this.#options.clock.now() - since), partitions, ...waiting };
  }

  /** Resolves when `condition` holds, or all is being stopped. Looked at after each confirmation, contact and stop. */
  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.#stop.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#stopAll();
  }

  #stopAll(): void {
    this.#stop.abort();
    this.#intake?.release();
    this.#changed();
  }
}

function misplacing(topic: string, has: PartitionedBy, key: PartitionedBy): MillraceError {
  return new MillraceError(
    'MR_LOG_TOPIC_MISMATCH',
    `Topic '${topic}' is partitioned by ${partitioningText(has)}, this forwarder's frames by ${partitioningText(key)}. ` +
      'Start with --key and --key-groups as the topic has them, and another --outbox.',
  );
}
