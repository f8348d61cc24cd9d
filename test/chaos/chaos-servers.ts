import type { Durability } from '#engine';
import type { DataServer } from './data-server.ts';

export const SETUPS = ['sentinel', 'cluster', 'disk', 'process'] as const;
/**
 * `sentinel`: a primary, a replica and three sentinels; `cluster`: three primaries with a replica each; both with durability `replicated`.
 * `disk`: one server with `appendfsync always`; `process`: one with `everysec`; both on a small disk of their own.
 */
export type SetupName = (typeof SETUPS)[number];

/** The servers of one run, and what an administrator would do with them. */
export interface ChaosServers {
  readonly name: SetupName;
  /** As workers and feeders get it. */
  readonly url: string;
  readonly durability: Durability;
  readonly all: readonly DataServer[];
  /** Those that writes go to. */
  readonly primaries: () => Promise<readonly DataServer[]>;
  /** Resolves when every primary has its replica in step, so that one loss can be borne again. */
  readonly settled: () => Promise<void>;
  /** Resolves when another server has taken the place of this one. */
  readonly replaced: (server: DataServer) => Promise<void>;
  /** Starts a server that was replaced, in whatever role is left for it. */
  readonly rejoin: (server: DataServer) => Promise<void>;
  /** Has a replica take the place of this one in good order; null where there is none. */
  readonly failOver: ((server: DataServer) => Promise<void>) | null;
  /** Fills the disk, and frees it again; null where there is no small disk, with the reason. */
  readonly disk: { readonly fill: () => void; readonly free: () => void } | { readonly none: string };
  readonly stop: () => Promise<void>;
}

/** What every data server has. */
export const USUAL: Readonly<Record<string, string>> = {
  unixsocketperm: '700',
  'protected-mode': 'no', // the address is reachable from here only
  save: '""',
  loglevel: 'warning',
  appendonly: 'yes',
  appendfsync: 'everysec',
  'maxmemory-policy': 'noeviction',
  'repl-diskless-sync-delay': '0',
  'repl-ping-replica-period': '1',
  'repl-backlog-size': '16mb',
};
