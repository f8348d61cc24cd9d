import { decodeFrame, partitionKeys, rowReader, type Schema } from '#wire';
import type { SimRedis } from './redis.ts';
import { NAMESPACE } from './simulated-job.ts';

/**
 * A reader of a topic that stands outside: sees each frame when it is there, straight from the primary, and never forgets it.
 *
 * TW1 A frame that was seen stays what it was: after a fail-over it may be missing for a while, but not another one.
 */
export class TopicWatch<Row> {
  readonly #redis: SimRedis;
  readonly #topic: string;
  readonly #schema: Schema<Row>;
  readonly #partitions: readonly WatchedPartition<Row>[];
  /** Frames that were seen and have become others. */
  readonly changes: string[] = [];

  constructor(redis: SimRedis, topic: string, schema: Schema<Row>, partitions: number) {
    this.#redis = redis;
    this.#topic = topic;
    this.#schema = schema;
    this.#partitions = Array.from({ length: partitions }, (_, partition) => ({
      stream: partitionKeys(NAMESPACE, topic, partition).stream,
      frames: new Map(),
      last: '-',
    }));
  }

  /** Looks at what has come since the last look; at everything when what was last seen then is gone. */
  look(): void {
    for (const partition of this.#partitions) {
      const { last } = partition;
      if (!this.#read(partition, last).has(last)) this.#read(partition, '-');
    }
  }

  /** All rows that are there now. */
  rows(): Row[] {
    return this.#partitions.flatMap((partition) => [...this.#read(partition, '-').values()].flat());
  }

  /** Frames that were seen and are not there any more. */
  missing(): readonly string[] {
    return this.#partitions.flatMap((partition) => {
      const now = this.#read(partition, '-');
      return [...partition.frames.keys()].filter((id) => !now.has(id)).map((id) => `${this.#topic} ${id}`);
    });
  }

  /** Rows seen so far. */
  get seen(): Row[] {
    return this.#partitions.flatMap(({ frames }) => [...frames.values()].flatMap(({ rows }) => rows));
  }

  #read(partition: WatchedPartition<Row>, from: string): Map<string, Row[]> {
    const reply = this.#redis.primary.model.execute(['XRANGE', partition.stream, from, '+']);
    const found = new Map<string, Row[]>();
    if (from === '-') partition.last = '-';
    for (const [id, fields] of reply as unknown as readonly (readonly [Buffer, readonly Buffer[]])[]) {
      const name = id.toString();
      const [, frame, , chain] = fields as readonly [Buffer, Buffer, Buffer, Buffer];
      const content = `${chain.toString()} ${frame.toString('latin1')}`;
      const known = partition.frames.get(name);
      if (known !== undefined && known.content !== content)
        this.changes.push(`${this.#topic} ${name} has changed`);
      const rows = known?.content === content ? known.rows : this.#rowsOf(frame);
      partition.frames.set(name, { content, rows });
      found.set(name, rows);
      partition.last = name;
    }
    return found;
  }

  #rowsOf(frame: Buffer): Row[] {
    const read = rowReader(this.#schema);
    const { batch } = decodeFrame(frame, (id) => (id === this.#schema.id ? this.#schema : undefined));
    return Array.from({ length: batch.count }, (_, i) => read(batch as never, i));
  }
}

interface WatchedPartition<Row> {
  readonly stream: string;
  readonly frames: Map<string, { readonly content: string; readonly rows: Row[] }>;
  /** Id of the last frame seen. */
  last: string;
}
