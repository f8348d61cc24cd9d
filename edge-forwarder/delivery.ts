/**
 * Carries frames from the outbox to the partition log: in order per partition, for ever, until each is confirmed.
 *
 * Owns: what is under way (one round at a time, bounded over all partitions) and when a partition is tried again.
 * The outbox owns the frames and what is confirmed.
 *
 * Suspension points: waiting for a connection, for the answers of a round, and for something to send. Between them the
 * outbox may take new frames, drop old ones, and nothing else.
 *
 * DE1  Only stored frames are sent, each under its lane's epoch and with its true predecessor.
 * DE2  A frame counts as confirmed when the log answers OK or DUP for it, never earlier.
 * DE3  After every new connection the log is asked what it has, and what it lost is sent again.
 * DE4  FENCED, an outbox older than the log, and a topic of another shape end the delivery with an error; all else is retried.
 */
import {
  backoffMs,
  type Clock,
  errorText,
  hasCode,
  MillraceError,
  parseSchemaText,
  type Random,
  restampFrame,
  type Schema,
  schemaText,
  verifyFrame,
} from '#wire';
import { FullPartitions } from './full-partitions.ts';
import { FIRST_SEQUENCE, type Lane } from './lane.ts';
import type { OutboxFrame } from './outbox-change.ts';
import type { Outbox } from './outbox.ts';
import type { AppendReply, AppendRequest, ProducerFacts, RedisLink, TopicFacts } from './redis-link.ts';

const ROUND_BYTES_MAX = 4 * 1024 * 1024;
const ROUND_FRAMES_PER_LANE = 32;
const RETRY_FIRST_MS = 20;
const RETRY_MAX_MS = 5_000;
/** With nothing to send, how long until a look at the connection. */
const IDLE_MS = 1_000;

export interface DeliveryOptions {
  readonly outbox: Outbox;
  readonly link: RedisLink;
  readonly topic: string;
  readonly producer: string;
  readonly schema: Schema;
  readonly clock: Clock;
  readonly random: Random;
  /** What the topic is, at every contact. May refuse by throwing. */
  readonly onContact: (topic: TopicFacts) => void;
  /** Frames were confirmed: there may be room again. */
  readonly onConfirmed: () => void;
  /** Something an operator should hear of; the delivery goes on. */
  readonly onAlarm: (text: string) => void;
}

/** Of this run. */
export interface DeliveryStats {
  delivered: number;
  deliveredBytes: number;
  deliveredFrames: number;
  /** Records that the log already had. */
  duplicates: number;
  rewinds: number;
}

interface Hold {
  untilMs: number;
  attempt: number;
}

export class Delivery {
  readonly stats: DeliveryStats = {
    delivered: 0,
    deliveredBytes: 0,
    deliveredFrames: 0,
    duplicates: 0,
    rewinds: 0,
  };
  /** Which partitions have no room. */
  readonly full: FullPartitions;
  readonly #options: DeliveryOptions;
  readonly #holds = new Map<number, Hold>();
  /** Per partition, where what may ever have been sent ends: the log cannot know more of us than this. */
  readonly #sentTo = new Map<number, number>();
  #session = 0;
  #nextLane = 0;
  #wake: (() => void) | null = null;
  #state = 'connecting';

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.full = new FullPartitions(options.clock);
    for (const lane of options.outbox.lanes()) this.#sentTo.set(lane.partition, lane.next);
  }

  /** One word or sentence for people: what the delivery is doing or waiting for. */
  get state(): string {
    const { link } = this.#options;
    return link.connected ? this.#state : `waiting for Redis (${link.lastError})`;
  }

  /** Something new may be sent. */
  wake(): void {
    this.#wake?.();
  }

  /** Delivers until `signal` aborts. @throws MR_LOG_FENCED, MR_LOG_TOPIC_MISMATCH, MR_LOG_FRAME_OVER_QUOTA, MR_SCHEMA_MISMATCH, MR_EDGE_OUTBOX, MR_FRAME_* */
  async run(signal: AbortSignal): Promise<void> {
    const { link, clock, random } = this.#options;
    for (let attempt = 0; !signal.aborted; ) {
      try {
        await link.ready(signal);
        if (signal.aborted) return;
        if (link.session !== this.#session) await this.#greet();
        const round = this.#gather();
        if (round.length === 0) await this.#idle(signal);
        else
          this.#settle(
            round,
            await link.append(
              round.map(({ request }) => request),
              clock.now(),
            ),
          );
        attempt = 0;
      } catch (error) {
        if (isFinal(error)) throw error;
        this.#session = -1; // whatever failed, ask again what the log has
        this.#state = errorText(error);
        await clock.sleep(backoffMs(attempt++, RETRY_FIRST_MS, RETRY_MAX_MS, random), signal);
      }
    }
  }

  /** DE3: what the topic is, what it has of us, and under which epoch we go on. */
  async #greet(): Promise<void> {
    const { link, schema, outbox, topic: name, onContact } = this.#options;
    const { session } = link;
    this.full.clear();
    const topic = await link.topic();
    if (topic === null) {
      throw new MillraceError('MR_LOG_NO_TOPIC', `Topic '${name}' does not exist yet; waiting for it.`);
    }
    await this.#checkSchema(topic.schemaId);
    onContact(topic);
    await link.registerSchema(schema.id, schemaText(schema));
    await link.prepare();
    const facts = await link.producerFacts(topic.partitions);
    const newest = facts.reduce((max, fact) => Math.max(max, fact?.epoch ?? 0), 0);
    for (const [partition, fact] of facts.entries()) this.#reconcile(outbox.lane(partition), fact, newest);
    this.#session = session;
    this.#state = 'delivering';
  }

  async #checkSchema(topicSchemaId: string): Promise<void> {
    const { link, schema, topic } = this.#options;
    if (topicSchemaId === schema.id) return;
    const text = await link.schemaText(topicSchemaId);
    if (text === null || parseSchemaText(text).name === schema.name) return;
    throw new MillraceError(
      'MR_SCHEMA_MISMATCH',
      `Topic '${topic}' carries '${parseSchemaText(text).name}', this forwarder sends '${schema.name}'. Check --topic and --schema.`,
    );
  }

  #reconcile(lane: Lane, fact: ProducerFacts | null, newest: number): void {
    const { outbox, producer, topic, onAlarm } = this.#options;
    if (lane.epoch === 0) return outbox.setEpoch(lane.partition, newest + 1);
    if (fact !== null && fact.epoch > lane.epoch) throw fenced(producer, topic, lane, fact.epoch);
    const last = fact?.epoch === lane.epoch ? fact.last : 0;
    if (last >= (this.#sentTo.get(lane.partition) ?? FIRST_SEQUENCE))
      throw outboxTooOld(producer, topic, lane, last);
    if (last + 1 >= lane.confirmedTo) return;
    onAlarm(
      `partition ${lane.partition} of '${topic}' lost its tail: has ${last}, had confirmed ${lane.confirmedTo - 1}; sending again`,
    );
    this.#rewind(lane.partition, last + 1);
  }

  /** Frames to send now: from each lane in turn, up to the round's bound (DE1). */
  #gather(): Sending[] {
    const { outbox, clock } = this.#options;
    const now = clock.monotonic();
    const lanes = [...outbox.lanes()].filter((lane) => lane.epoch > 0 && lane.confirmedTo < lane.next);
    const round: Sending[] = [];
    let room = ROUND_BYTES_MAX;
    this.#nextLane++;
    for (let i = 0; i < lanes.length && room > 0; i++) {
      const lane = lanes[(i + this.#nextLane) % lanes.length] as Lane;
      if ((this.#holds.get(lane.partition)?.untilMs ?? 0) > now) continue;
      const frames = outbox.read(lane.partition, lane.confirmedTo, ROUND_FRAMES_PER_LANE, room);
      if (frames[0]?.first !== lane.confirmedTo) throw diverged(lane, this.#options);
      for (const frame of frames) {
        round.push({ frame, request: stamped(frame, lane) });
        this.#sentTo.set(lane.partition, Math.max(frame.last + 1, this.#sentTo.get(lane.partition) ?? 0));
        room -= frame.bytes.length;
      }
    }
    return round;
  }

  /** Takes the answers in order. A lane's first refusal ends its part of the round: what follows it can only be GAP. */
  #settle(round: readonly Sending[], replies: readonly AppendReply[]): void {
    const stopped = new Set<number>();
    let confirmed = false;
    for (const [i, { frame }] of round.entries()) {
      if (stopped.has(frame.partition)) continue;
      const reply = replies[i] as AppendReply;
      if (reply.kind === 'ok' || reply.kind === 'duplicate') {
        this.#confirm(frame, reply.kind);
        confirmed = true;
      } else {
        stopped.add(frame.partition);
        this.#refused(frame, reply);
      }
    }
    for (const { frame } of round) if (!stopped.has(frame.partition)) this.full.recovered(frame.partition);
    if (confirmed) this.#options.onConfirmed();
  }

  #confirm(frame: OutboxFrame, kind: 'ok' | 'duplicate'): void {
    const records = frame.last - frame.first + 1;
    this.#options.outbox.confirm(frame);
    this.#holds.delete(frame.partition);
    this.stats.delivered += records;
    this.stats.deliveredBytes += frame.bytes.length;
    this.stats.deliveredFrames++;
    if (kind === 'duplicate') this.stats.duplicates += records;
  }

  #refused(frame: OutboxFrame, reply: Exclude<AppendReply, { kind: 'ok' | 'duplicate' }>): void {
    const { outbox, producer, topic, clock, link } = this.#options;
    const lane = outbox.lane(frame.partition);
    switch (reply.kind) {
      case 'gap':
        if (reply.expected > frame.first) throw outboxTooOld(producer, topic, lane, reply.expected - 1);
        return this.#rewind(frame.partition, reply.expected);
      case 'fenced':
        throw fenced(producer, topic, lane, reply.epoch);
      case 'over-quota':
        throw new MillraceError(
          'MR_LOG_FRAME_OVER_QUOTA',
          `A frame of ${frame.bytes.length} bytes can never fit into partition ${frame.partition} of '${topic}', whose quota is ${reply.quotaBytes}. Raise the topic's quota.`,
        );
      case 'no-topic':
        this.#session = -1;
        return this.#hold(frame.partition, `partition ${frame.partition} of '${topic}' does not exist yet`);
      case 'full':
        this.full.refused(frame.partition);
        link.trim(frame.partition, clock.now()).catch(() => undefined); // a failure shows in the next append
        return this.#hold(frame.partition, `partition ${frame.partition} of '${topic}' is full`);
      case 'refused':
        if (reply.why.includes('NOSCRIPT')) this.#session = -1;
        return this.#hold(frame.partition, reply.why);
    }
  }

  #rewind(partition: number, expected: number): void {
    const { outbox, onAlarm, topic } = this.#options;
    this.stats.rewinds++;
    const result = outbox.rewind(partition, expected);
    if (result.kind === 'rewound') return;
    onAlarm(
      `${result.lost} records of partition ${partition} of '${topic}' are lost: the log dropped them after confirming, and they are no longer kept here`,
    );
  }

  #hold(partition: number, why: string): void {
    const { clock, random } = this.#options;
    const attempt = this.#holds.get(partition)?.attempt ?? 0;
    const untilMs = clock.monotonic() + backoffMs(attempt, RETRY_FIRST_MS, RETRY_MAX_MS, random);
    this.#holds.set(partition, { untilMs, attempt: attempt + 1 });
    this.#state = why;
  }

  /** Until something was stored, a held lane is due, or it is time to look at the connection. */
  async #idle(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const now = clock.monotonic();
    let waitMs = IDLE_MS;
    for (const { untilMs } of this.#holds.values())
      if (untilMs > now) waitMs = Math.min(waitMs, untilMs - now);
    const stop = new AbortController();
    const wake = () => stop.abort();
    this.#wake = wake;
    signal.addEventListener('abort', wake, { once: true });
    await clock.sleep(Math.max(1, waitMs), stop.signal);
    signal.removeEventListener('abort', wake);
    this.#wake = null;
  }
}

interface Sending {
  readonly frame: OutboxFrame;
  readonly request: AppendRequest;
}

/** The frame as it goes out (DE1). Frames stored before the epoch was known, or after a drop, get their stamp here. */
function stamped(frame: OutboxFrame, lane: Lane): AppendRequest {
  const { partition, first, last } = frame;
  const prev = first === lane.front ? lane.gapFrom - 1 : first - 1;
  let bytes = frame.bytes;
  let envelope = verifyFrame(bytes);
  if (envelope.epoch !== lane.epoch || envelope.prev !== prev) {
    bytes = restampFrame(bytes, { epoch: lane.epoch, prev });
    envelope = verifyFrame(bytes);
  }
  return {
    partition,
    epoch: lane.epoch,
    prev,
    first,
    last,
    records: envelope.records,
    crc: envelope.frameCrc,
    frame: bytes,
  };
}

function isFinal(error: unknown): boolean {
  return error instanceof MillraceError && !hasCode(error, 'MR_LOG_NO_TOPIC');
}

function fenced(producer: string, topic: string, lane: Lane, epoch: number): MillraceError {
  return new MillraceError(
    'MR_LOG_FENCED',
    `Producer '${producer}' of '${topic}' has epoch ${lane.epoch} here and ${epoch} in the log: another outbox sends under this name. ` +
      'Stop that forwarder, or give this one another --producer.',
    { details: { partition: lane.partition, epoch } },
  );
}

function diverged(lane: Lane, { topic, producer }: DeliveryOptions): MillraceError {
  return new MillraceError(
    'MR_EDGE_OUTBOX',
    `Partition ${lane.partition} of '${topic}' expects sequence ${lane.confirmedTo} of producer '${producer}', and no frame of this outbox starts there: ` +
      'they do not belong together. Delete the outbox to start over under a new epoch, or give it another --producer.',
  );
}

function outboxTooOld(producer: string, topic: string, lane: Lane, last: number): MillraceError {
  return new MillraceError(
    'MR_EDGE_OUTBOX',
    `Partition ${lane.partition} of '${topic}' has sequence ${last} of producer '${producer}', this outbox never sent that far: ` +
      'it was restored from a copy, or a second forwarder runs on one. Delete it to start over under a new epoch.',
  );
}
