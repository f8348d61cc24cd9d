import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { RedisLink } from './redis-link.ts';
import { loadScript } from './script.ts';
import { infoFields } from './server-facts.ts';

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
 * Returns what waits until everything written through `connection` is as durable as declared.
 *
 * WAIT and WAITAOF speak of the last write of their own connection, so each wait writes `key` first and is repeated when the
 * connection was lost in between. They say nothing of writes acknowledged by a server that is gone: the history's id
 * (master_replid) changes on every restart and promotion, and then the wait fails once.
 *
 * `disk` on servers without WAITAOF needs `appendfsync always`, under which an answered write is on disk.
 * @throws MR_REDIS_UNSUPPORTED when the server's settings cannot give what is declared
 */
export async function openDurability(
  connection: RedisLink,
  key: string,
  options: DurabilityOptions,
): Promise<() => Promise<void>> {
  if (options.durability === 'process') return () => Promise.resolve();
  if (options.durability === 'disk') {
    await assertAppendOnly(connection);
    if (!connection.server.waitAof) return () => Promise.resolve();
  }
  const replicas = options.replicas ?? 1;
  const waitCommand: readonly [string, ...(string | number)[]] =
    options.durability === 'disk'
      ? ['WAITAOF', 1, 0, LIMITS.redisDurableMs]
      : ['WAIT', replicas, LIMITS.redisDurableMs];
  const needed = options.durability === 'disk' ? 1 : replicas;
  let history = await historyId(connection);

  return async () => {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const before = connection.losses;
      const [, reply, current] = await Promise.all([
        connection.script(markWrite, [key], []),
        connection.call(...waitCommand),
        historyId(connection),
      ]);
      if (connection.losses !== before) continue;
      if (current !== history) {
        history = current;
        throw notDurable(
          'the server was restarted or replaced since the last confirmation, and may have lost what it had acknowledged',
        );
      }
      const confirmed = Number(Array.isArray(reply) ? reply[0] : reply);
      if (confirmed >= needed) return;
      throw notDurable(
        `${confirmed} of ${needed} confirmed it within ${LIMITS.redisDurableMs} ms (${waitCommand[0]})`,
      );
    }
    throw notDurable(`the connection was lost ${ATTEMPTS_MAX} times while waiting`);
  };
}

const ATTEMPTS_MAX = 3;
const markWrite = loadScript(new URL('./scripts/mark-write-1.lua', import.meta.url));

async function historyId(connection: RedisLink): Promise<string> {
  return infoFields(String(await connection.call('INFO', 'replication'))).get('master_replid') ?? '';
}

async function assertAppendOnly(connection: RedisLink): Promise<void> {
  const setting = async (name: string) =>
    ((await connection.call('CONFIG', 'GET', name)) as readonly string[])[1];
  const appendOnly = await setting('appendonly');
  const fsync = await setting('appendfsync');
  if (appendOnly === 'yes' && (connection.server.waitAof || fsync === 'always')) return;
  throw new MillraceError(
    'MR_REDIS_UNSUPPORTED',
    `Durability 'disk' needs appendonly yes${connection.server.waitAof ? '' : ` and, on ${connection.server.product} ${connection.server.version}, appendfsync always`}; the server has appendonly ${appendOnly} and appendfsync ${fsync}. Change its settings or declare durability 'process'.`,
  );
}

function notDurable(why: string): MillraceError {
  return new MillraceError(
    'MR_CHECKPOINT_NOT_DURABLE',
    `Redis did not confirm that writes are durable: ${why}. Check its replicas and disk; the checkpoint is given up.`,
  );
}
