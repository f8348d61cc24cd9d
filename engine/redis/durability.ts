import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { redisFailure, type RedisFailure } from './redis-error.ts';
import type { RedisLink, RedisPrimary } from './redis-link.ts';
import { loadScript } from './script.ts';
import { infoFields, type ServerFacts } from './server-facts.ts';

/**
 * What a confirmed write survives:
 * `process` – the death of any process of ours, and of the server as far as its AOF goes;
 * `disk` – power loss at the server; `replicated` – loss of the primary, when one of the confirming replicas is promoted.
 */
export type Durability = 'process' | 'disk' | 'replicated';

export interface DurabilityOptions {
  readonly durability: Durability;
  /** For `replicated`: replicas that must have a write. Default 1. */
  readonly replicas?: number;
}

/**
 * Returns what waits until everything that Redis has acknowledged, to whomever, is as durable as declared. In a cluster every node that
 * holds slots has to confirm, since the log's partitions and the jobs' keys are spread over them.
 *
 * WAIT and WAITAOF speak of the last write of their own connection, so each wait writes `key` first (in a cluster one like it per node)
 * and is repeated when the connection was lost in between. They say nothing of writes acknowledged by a server that is gone: the
 * history's id (master_replid) changes on every restart and promotion, and then the wait fails once. It does as well when a cluster
 * gets another node: what is new cannot be told from what was promoted.
 *
 * `disk` on servers without WAITAOF needs `appendfsync always`, under which an answered write is on disk. There, and for `process`, only
 * the history is looked at: a server that was restarted may have lost what it had answered.
 * @throws MR_REDIS_UNSUPPORTED when the settings of a server cannot give what is declared
 */
export async function openDurability(
  link: RedisLink,
  key: string,
  options: DurabilityOptions,
): Promise<ConfirmDurable> {
  const atStart = await primariesOf(link);
  if (options.durability === 'disk') {
    await Promise.all(atStart.map((primary) => assertAppendOnly(primary, link.server)));
  }
  const wait = waitFor(options, link.server);
  let histories: ReadonlySet<string> = new Set(await Promise.all(atStart.map(historyId)));

  /** Calls of a link are repeated by itself, those of a node are not: another try is made with the nodes as they are then. */
  const nullIfPassing = (error: unknown) => {
    if (link.primaries !== undefined && PASSING.has(redisFailure(error))) return null;
    throw error;
  };

  let changes = 0;
  const confirm = async () => {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const primaries = await primariesOf(link);
      const answers = await Promise.all(
        primaries.map((primary) => confirmAt(primary, key, wait).catch(nullIfPassing)),
      );
      if (answers.includes(null)) continue;
      const confirmations = answers as readonly Confirmation[];
      const known = histories;
      histories = new Set(confirmations.map(({ history }) => history));
      if (confirmations.some(({ history }) => !known.has(history))) {
        changes++;
        throw notDurable(
          'a server was restarted or replaced since the last confirmation, and may have lost what it had acknowledged',
        );
      }
      const least = Math.min(...confirmations.map(({ confirmed }) => confirmed));
      if (least >= wait.needed) return;
      throw notDurable(
        `${least} of ${wait.needed} confirmed it within ${LIMITS.redisDurableMs} ms (${wait.command?.[0]})`,
      );
    }
    throw notDurable(`a connection was lost ${ATTEMPTS_MAX} times while waiting`);
  };
  return Object.assign(confirm, { changes: () => changes });
}

/** Waits until everything is as durable as declared. */
export interface ConfirmDurable {
  (): Promise<void>;
  /** How often it has found another history so far. One caller is told by an error; whoever else shares the connection compares this. */
  readonly changes: () => number;
}

interface Wait {
  /** Null where an answered write is as durable as declared: only the history counts then. */
  readonly command: readonly [string, ...(string | number)[]] | null;
  /** Who must have confirmed: replicas, or the server itself. */
  readonly needed: number;
}

interface Confirmation {
  readonly history: string;
  readonly confirmed: number;
}

const ATTEMPTS_MAX = 3;
const PASSING: ReadonlySet<RedisFailure> = new Set(['lost', 'moved', 'transient']);
const markWrite = loadScript(new URL('./scripts/mark-write-1.lua', import.meta.url));

function waitFor({ durability, replicas = 1 }: DurabilityOptions, { waitAof }: ServerFacts): Wait {
  if (durability === 'process' || (durability === 'disk' && !waitAof)) return { command: null, needed: 0 };
  return durability === 'disk'
    ? { command: ['WAITAOF', 1, 0, LIMITS.redisDurableMs], needed: 1 }
    : { command: ['WAIT', replicas, LIMITS.redisDurableMs], needed: replicas };
}

/** The servers that writes go to; of a link to one server, that. */
async function primariesOf(link: RedisLink): Promise<readonly RedisPrimary[]> {
  if (link.primaries !== undefined) return await link.primaries();
  const keyOf = (base: string) => base;
  return [
    {
      get losses() {
        return link.losses;
      },
      keyOf,
      call: (command, ...args) => link.call(command, ...args),
      script: (script, keys, args) => link.script(script, keys, args),
    },
  ];
}

/** One server's answer, or null when it was not one connection that wrote and waited. */
async function confirmAt(primary: RedisPrimary, base: string, wait: Wait): Promise<Confirmation | null> {
  const { losses } = primary;
  if (wait.command === null) return { history: await historyId(primary), confirmed: 0 };
  const key = primary.keyOf(base);
  if (key === null) return null;
  // One after another: a write that had to be repeated would otherwise come behind its wait.
  await primary.script(markWrite, [key], []);
  const [reply, history] = await Promise.all([primary.call(...wait.command), historyId(primary)]);
  if (primary.losses !== losses) return null;
  return { history, confirmed: Number(Array.isArray(reply) ? reply[0] : reply) };
}

async function historyId(primary: Pick<RedisPrimary, 'call'>): Promise<string> {
  return infoFields(String(await primary.call('INFO', 'replication'))).get('master_replid') ?? '';
}

async function assertAppendOnly(primary: RedisPrimary, server: ServerFacts): Promise<void> {
  const setting = async (name: string) =>
    ((await primary.call('CONFIG', 'GET', name)) as readonly string[])[1];
  const appendOnly = await setting('appendonly');
  const fsync = await setting('appendfsync');
  if (appendOnly === 'yes' && (server.waitAof || fsync === 'always')) return;
  throw new MillraceError(
    'MR_REDIS_UNSUPPORTED',
    `Durability 'disk' needs appendonly yes${server.waitAof ? '' : ` and, on ${server.product} ${server.version}, appendfsync always`}; the server has appendonly ${appendOnly} and appendfsync ${fsync}. Change its settings or declare durability 'process'.`,
  );
}

function notDurable(why: string): MillraceError {
  return new MillraceError(
    'MR_CHECKPOINT_NOT_DURABLE',
    `Redis did not confirm that writes are durable: ${why}. Check its replicas and disk; the checkpoint is given up.`,
  );
}
