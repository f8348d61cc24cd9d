import { join, resolve } from 'node:path';
import { MillraceError } from '#wire';

export const HELP = `Usage: npm start            (or: node ops/main.ts)

Starts Millrace on this machine: a Redis of its own, the engine with the device telemetry job and the admin API,
and an edge forwarder that simulates a fleet. Ctrl-C stops all three in order; the next start goes on where this one ended.

Environment
  PORT            port of the admin API and the live page on 127.0.0.1; default: the first free one from 8090
  REDIS_URL       use this Redis (redis://…, rediss://… or a unix socket) and start none
  MILLRACE_DIR    folder of everything that is kept; default ./.millrace
`;

const PORT_DEFAULT = 8_090;

export interface SupervisorSettings {
  /** Absolute path of the folder of everything that is kept. */
  readonly directory: string;
  readonly port: number;
  /** True when the port was asked for by name: that one or none. */
  readonly portFixed: boolean;
  /** A Redis that others run, or null: we run one. */
  readonly redisUrl: string | null;
  readonly namespace: string;
}

/** @throws MR_CONFIG_INVALID */
export function readSettings(env: Readonly<Record<string, string | undefined>>): SupervisorSettings {
  const { PORT: port = '', REDIS_URL: redisUrl = '', MILLRACE_DIR: directory = '' } = env;
  const portFixed = port !== '';
  if (portFixed && !(/^\d{1,5}$/.test(port) && Number(port) <= 65_535)) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `PORT must be a whole number from 0 to 65535, got '${port}'.`,
    );
  }
  return {
    directory: resolve(directory === '' ? '.millrace' : directory),
    port: portFixed ? Number(port) : PORT_DEFAULT,
    portFixed,
    redisUrl: redisUrl === '' ? null : redisUrl,
    namespace: env['MILLRACE_NAMESPACE'] ?? 'default',
  };
}

/** Where things lie below the folder. */
export function folders({ directory }: Pick<SupervisorSettings, 'directory'>) {
  return {
    lock: join(directory, 'supervisor.lock'),
    redis: join(directory, 'redis'),
    outbox: join(directory, 'edge'),
  };
}
