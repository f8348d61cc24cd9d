/** Which servers are supported, for messages. */
export const REDIS_NEEDED: string;

export interface RedisServerProgram {
  /** Absolute path of the executable. */
  readonly program: string;
  readonly product: 'Valkey' | 'Redis';
  /** Three numbers, e.g. `7.0.15`. */
  readonly version: string;
}

/** The first server on PATH or in the usual folders that runs and is new enough, or null. */
export function findRedisServer(env?: NodeJS.ProcessEnv): RedisServerProgram | null;

/** What a program says it is, or null when it does not run. */
export function serverVersion(program: string): Omit<RedisServerProgram, 'program'> | null;

export function isSupported(server: Omit<RedisServerProgram, 'program'>): boolean;
