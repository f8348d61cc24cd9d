import { addressText, type RedisAddress } from './redis-url.ts';
import { SLOT_COUNT } from './key-slot.ts';

/** Which node of a cluster holds which slot, by `host:port`; kept up to date by what nodes answer. */
export interface ClusterMap {
  /** Owner per slot, as an index into `addresses`; -1 = held by nobody. */
  readonly owners: Int16Array;
  /** Grows by nodes that were learned from redirections. */
  readonly addresses: RedisAddress[];
  /** Nodes that held no slot when the map was drawn. */
  readonly replicas: readonly RedisAddress[];
}

/**
 * Draws the map from the reply of CLUSTER SLOTS: `[first, last, primary, …replicas]` per range, a node as `[host, port, id, …]`. A node
 * that does not know its own host gives '' or null: then it is the one that was asked.
 */
export function parseClusterSlots(reply: unknown, asked: RedisAddress): ClusterMap {
  const owners = new Int16Array(SLOT_COUNT).fill(-1);
  const addresses: RedisAddress[] = [];
  const replicas: RedisAddress[] = [];
  for (const [first, last, primary, ...others] of reply as readonly SlotRange[]) {
    owners.fill(indexOf(addresses, nodeAddress(primary, asked)), first, last + 1);
    replicas.push(...others.map((node) => nodeAddress(node, asked)));
  }
  return { owners, addresses, replicas };
}

/** The node of a slot, or null. */
export function ownerOf(map: ClusterMap, slot: number): RedisAddress | null {
  return map.addresses[map.owners[slot] ?? -1] ?? null;
}

/** Notes that a node has said where a slot is. */
export function moveSlot(map: ClusterMap, slot: number, to: RedisAddress): void {
  map.owners[slot] = indexOf(map.addresses, to);
}

/** The nodes that hold slots, each with a test of which; null while a slot is held by nobody. */
export function primariesOf(
  map: ClusterMap,
): readonly { readonly address: RedisAddress; readonly holds: (slot: number) => boolean }[] | null {
  if (map.owners.includes(-1)) return null;
  return [...new Set(map.owners)].map((index) => ({
    address: map.addresses[index] as RedisAddress,
    holds: (slot) => map.owners[slot] === index,
  }));
}

/** Where an error sends a command: `MOVED <slot> <host>:<port>` for good, `ASK <slot> <host>:<port>` this once. */
export interface Redirection {
  readonly kind: 'moved' | 'ask';
  readonly slot: number;
  readonly to: RedisAddress;
}

export function redirection(error: unknown, asked: RedisAddress): Redirection | null {
  const parts = error instanceof Error ? /^(MOVED|ASK) (\d+) (.*):(\d+)$/.exec(error.message) : null;
  if (parts === null) return null;
  const [, word, slot, host, port] = parts;
  return {
    kind: word === 'MOVED' ? 'moved' : 'ask',
    slot: Number(slot),
    to: { host: host || asked.host, port: Number(port) },
  };
}

type SlotNode = readonly [host: string | null, port: number, ...unknown[]];
type SlotRange = readonly [first: number, last: number, primary: SlotNode, ...replicas: SlotNode[]];

function nodeAddress([host, port]: SlotNode, asked: RedisAddress): RedisAddress {
  return { host: host || asked.host, port: port || asked.port };
}

function indexOf(addresses: RedisAddress[], address: RedisAddress): number {
  const text = addressText(address);
  const known = addresses.findIndex((other) => addressText(other) === text);
  return known >= 0 ? known : addresses.push(address) - 1;
}
