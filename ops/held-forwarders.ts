import { type Clock, heldForwardersKey, RedisConnection } from '#engine';

/** A forwarder whose records full partitions keep waiting, as it told last itself. Times are epoch ms of the Redis server's clock. */
export interface HeldForwarder {
  readonly topic: string;
  readonly producer: string;
  readonly at: number;
  /** Since when there has always been a full partition. */
  readonly since: number;
  /** Those that are full. */
  readonly partitions: readonly number[];
  /** In its outbox, not in the log yet. */
  readonly pendingRecords: number;
  readonly pendingBytes: number;
  /** Age of the oldest of them; null when that is not known. */
  readonly oldestMs: number | null;
  /** The outbox is full as well: its input stands still, or its oldest records are dropped. */
  readonly inputHeld: boolean;
}

/** Reads which forwarders of these topics are held; rejects when that cannot be known. */
export type ReadHeldForwarders = (topics: readonly string[]) => Promise<readonly HeldForwarder[]>;

export interface HeldForwarders {
  readonly read: ReadHeldForwarders;
  readonly close: () => Promise<void>;
}

/** A forwarder that is held says so every 5 s; one that has been silent for longer is gone, or not held any more. */
const SILENT_MS = 20_000;
/** Of one topic: enough to know that it is full. */
const FORWARDERS_MAX = 1_000;

/** @throws MR_REDIS_UNAVAILABLE */
export async function openHeldForwarders(options: {
  readonly url: string;
  readonly namespace: string;
  readonly clock: Clock;
}): Promise<HeldForwarders> {
  const { url, namespace, clock } = options;
  const link = await RedisConnection.open({ url, name: `millrace:${namespace}:held`, clock });
  const ofTopic = async (topic: string) => {
    const key = heldForwardersKey(namespace, topic);
    const now = Number(((await link.call('TIME')) as readonly string[])[0]) * 1_000;
    const found: HeldForwarder[] = [];
    let cursor = '0';
    do {
      const [next, fields] = (await link.call('HSCAN', key, cursor, 'COUNT', '500')) as [string, string[]];
      for (let i = 0; i + 1 < fields.length; i += 2)
        found.push({ topic, producer: fields[i] as string, ...facts(fields[i + 1] as string) });
      cursor = next;
    } while (cursor !== '0' && found.length < FORWARDERS_MAX);
    return found.filter(({ at }) => now - at < SILENT_MS).slice(0, FORWARDERS_MAX);
  };
  return {
    read: async (topics) => (await Promise.all(topics.map(ofTopic))).flat(),
    close: async () => link.close(),
  };
}

/** Written by forwarders (edge-forwarder/held-report.ts). */
function facts(text: string): Omit<HeldForwarder, 'topic' | 'producer'> {
  const { at, heldMs, ...rest } = JSON.parse(text) as Omit<HeldForwarder, 'since'> & {
    readonly heldMs: number;
  };
  return { ...rest, at, since: at - heldMs };
}
