import type { Clock } from '../base/clock.ts';
import { invariant, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { type ClusterMap, parseClusterSlots } from './cluster-map.ts';
import type { ClusterNode, ClusterNodes } from './cluster-nodes.ts';
import { addressText, type RedisAddress } from './redis-url.ts';

/**
 * Keeps the map of a cluster's slots: from any node that answers, and again when the map is said to be outdated.
 *
 * KM1 Nodes are asked in turn, another one first each time, so that one which is cut off from the rest and still believes the old map
 *     does not keep us there.
 * KM2 While nodes fail the map is read at most every clusterMapReadMs.
 */
export class ClusterMapReader {
  readonly #nodes: ClusterNodes;
  readonly #seeds: readonly RedisAddress[];
  readonly #clock: Clock;
  readonly #onError: (error: Error) => void;
  #map: ClusterMap | null = null;
  /** Rises with every cause to read the map; what `#map` has seen of it. */
  #causes = 1;
  #seen = 0;
  #isHurried = true;
  #readAtMs = 0;
  #turn = 0;
  /** Asked last. */
  #silent: RedisAddress | null = null;
  #hopeless: MillraceError | null = null;
  #reading: Promise<void> | null = null;

  constructor(
    nodes: ClusterNodes,
    seeds: readonly RedisAddress[],
    clock: Clock,
    onError: (error: Error) => void,
  ) {
    this.#nodes = nodes;
    this.#seeds = seeds;
    this.#clock = clock;
    this.#onError = onError;
  }

  /** As it was last read. */
  get map(): ClusterMap {
    invariant(this.#map !== null, 'the map of the cluster is read before it is used');
    return this.#map;
  }

  isOwner(address: RedisAddress): boolean {
    const text = addressText(address);
    return this.#map?.addresses.some((other) => addressText(other) === text) ?? false;
  }

  /** A node failed: what the map says is to be doubted. */
  doubt(): void {
    this.#causes++;
  }

  /** The next use reads the map, at once. */
  renew(): void {
    this.#causes++;
    this.#isHurried = true;
  }

  /** Null when the map is good, or what to wait for before asking again. @throws MR_CONFIG_INVALID when a node is of no cluster */
  upToDate(): Promise<void> | null {
    if (this.#hopeless !== null) throw this.#hopeless;
    if (this.#map !== null && this.#seen === this.#causes) return null;
    return this.#readOnce();
  }

  /** Reads the map while calls go on: a node does not answer, and may have been replaced. */
  checkOn(silent: RedisAddress): void {
    this.#silent = silent;
    void this.#readOnce();
  }

  #readOnce(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    const pauseMs = this.#readAtMs + LIMITS.clusterMapReadMs - this.#clock.monotonic();
    if (!this.#isHurried && pauseMs > 0) await this.#clock.sleep(pauseMs);
    this.#isHurried = false;
    const causes = this.#causes;
    for (const address of this.#candidates()) {
      if (this.#nodes.isClosed) return;
      const asked = this.#ask(this.#nodes.at(address));
      const map = await Promise.race([asked, this.#clock.sleep(ASK_MS).then(() => null)]);
      if (map === null || this.#nodes.isClosed) continue;
      this.#map = map;
      this.#seen = causes;
      this.#nodes.keep(map.addresses);
      break;
    }
    this.#readAtMs = this.#clock.monotonic();
  }

  async #ask({ address, client, opened }: ClusterNode): Promise<ClusterMap | null> {
    await opened;
    try {
      return parseClusterSlots(await client.call('CLUSTER', 'SLOTS'), address);
    } catch (error) {
      this.#onError(error as Error);
      if (String(error).includes('cluster support disabled')) this.#hopeless = noCluster(address);
      return null;
    }
  }

  #candidates(): readonly RedisAddress[] {
    const known = [...(this.#map?.addresses ?? []), ...(this.#map?.replicas ?? []), ...this.#seeds];
    const distinct = [...new Map(known.map((address) => [addressText(address), address])).values()];
    const first = this.#turn++ % distinct.length;
    const silent = this.#silent === null ? null : addressText(this.#silent);
    this.#silent = null;
    const isSilent = (address: RedisAddress) => addressText(address) === silent;
    return [...distinct.slice(first), ...distinct.slice(0, first)].sort(
      (a, b) => Number(isSilent(a)) - Number(isSilent(b)),
    );
  }
}

/** How long one node may take to give its map. */
const ASK_MS = 1_000;

function noCluster(address: RedisAddress): MillraceError {
  return new MillraceError(
    'MR_CONFIG_INVALID',
    `The server at ${addressText(address)} is no node of a cluster. Give its URL as redis://… without +cluster, or enable the cluster there.`,
  );
}
