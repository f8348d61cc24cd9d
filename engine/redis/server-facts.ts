import { MillraceError } from '../base/errors.ts';
import type { RedisLink } from './redis-link.ts';

/** What a server says about itself. */
export interface ServerFacts {
  readonly product: 'redis' | 'valkey';
  /** e.g. `7.0.15`; of Valkey its own version, not the Redis version it claims. */
  readonly version: string;
  /** WAITAOF is there (Redis 7.2, Valkey 7.2 on). */
  readonly waitAof: boolean;
}

/** Asks a server what it is. */
export async function probeServer(connection: Pick<RedisLink, 'call'>): Promise<ServerFacts> {
  const info = infoFields(String(await connection.call('INFO', 'server')));
  const commands = (await connection.call('COMMAND', 'INFO', 'WAITAOF')) as readonly unknown[];
  const valkey = info.get('valkey_version');
  return {
    product: valkey === undefined ? 'redis' : 'valkey',
    version: valkey ?? info.get('redis_version') ?? '0',
    waitAof: commands[0] !== null && commands[0] !== undefined,
  };
}

/** @throws MR_REDIS_UNSUPPORTED below Redis 7.0 and Valkey 8.0 */
export function assertSupported(server: ServerFacts): void {
  const least = server.product === 'redis' ? 7 : 8;
  if (Number.parseInt(server.version, 10) >= least) return;
  throw new MillraceError(
    'MR_REDIS_UNSUPPORTED',
    `The server is ${server.product} ${server.version}; Millrace needs Redis 7.0 or Valkey 8.0 at least. Upgrade it or point the URL elsewhere.`,
  );
}

/** `name:value` lines of INFO. */
export function infoFields(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}
