import type { Redis } from 'ioredis';
import { errorText, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { ClusterMapReader } from './cluster-map-reader.ts';
import { moveSlot, ownerOf, primariesOf, redirection } from './cluster-map.ts';
import { ClusterNodes } from './cluster-nodes.ts';
import { commandKey } from './command-key.ts';
import { keyInSlot, keySlot } from './key-slot.ts';
import { missingLinks } from './missing-links.ts';
import { OrderedCalls } from './ordered-calls.ts';
import type { RawReplies } from './raw-replies.ts';
import { scriptSender } from './redis-client.ts';
import { redisError, redisFailure } from './redis-error.ts';
import type { RedisArgument, RedisLink, RedisLinkOptions, RedisPrimary } from './redis-link.ts';
import { addressText, type RedisAddress, type RedisTarget, targetText } from './redis-url.ts';
import type { RespReply } from './resp-scanner.ts';
import type { Script } from './script.ts';
import { assertSupported, probeServer, type ServerFacts } from './server-facts.ts';

type ClusterTarget = Extract<RedisTarget, { readonly kind: 'cluster' }>;

/*
 * Connections to a Redis or Valkey cluster, kept as RedisConnection says (RC1 to RC4): one to each node that is needed.
 *
 * Owns the connections, the map of slots, and one OrderedCalls per slot. A command goes to the node of its first key; one without a
 * key to that of slot 0. Does not own which keys meet in a command: those of one slot.
 *
 * RK1 A call goes to the node that holds its slot by the map; MOVED corrects the map, ASK sends it elsewhere once, and the loss of a
 *     node or CLUSTERDOWN has the map drawn anew. A redirected call is sent again like a refused one, so RC3 holds over them.
 * RK2 While a call is unanswered the map is read again every clusterSilentMs: a node that hangs is left once another took its slots.
 * RK3 `losses` also counts slots found elsewhere, since their new node may lack what the old one had.
 */
export class ClusterConnection implements RedisLink {
  readonly #options: Required<RedisLinkOptions>;
  readonly #place: string;
  readonly #nodes: ClusterNodes;
  readonly #maps: ClusterMapReader;
  readonly #slots = new Map<number, OrderedCalls>();
  readonly #whole: OrderedCalls;
  #server: ServerFacts | null = null;
  #losses = 0;
  #closed = false;
  #lastError = 'no connection yet.';

  private constructor(target: ClusterTarget, options: Required<RedisLinkOptions>) {
    this.#options = options;
    this.#place = targetText(target);
    this.#nodes = new ClusterNodes({
      target,
      name: options.name,
      onError: (error) => this.#noteError(error),
      onEnd: (address, wasUp) => {
        if (wasUp) this.#losses++;
        if (this.#maps.isOwner(address)) this.#maps.doubt();
      },
    });
    this.#maps = new ClusterMapReader(this.#nodes, target.nodes, options.clock, (error) =>
      this.#noteError(error),
    );
    this.#whole = this.#orderedCalls(() => this.#allReady());
  }

  /** @throws MR_CONFIG_INVALID when it is no cluster; MR_REDIS_UNAVAILABLE, MR_REDIS_UNSUPPORTED as RedisConnection.open */
  static async open(target: ClusterTarget, options: Required<RedisLinkOptions>): Promise<ClusterConnection> {
    const connection = new ClusterConnection(target, options);
    try {
      const facts = await Promise.all((await connection.primaries()).map(probeServer));
      for (const server of facts) assertSupported(server);
      const server = facts[0] as ServerFacts;
      connection.#server = { ...server, waitAof: facts.every(({ waitAof }) => waitAof) };
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  get name(): string {
    return this.#options.name;
  }

  /** Of one of the nodes; a feature is there when all have it. */
  get server(): ServerFacts {
    if (this.#server === null) throw new MillraceError('MR_INVARIANT', 'The cluster was not probed.');
    return this.#server;
  }

  get losses(): number {
    return this.#losses;
  }

  readonly slotOf = keySlot;

  call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#run(command, commandKey(command, args), (client) => client.call(command, args));
  }

  callBuffer(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#run(command, commandKey(command, args), (client) => client.callBuffer(command, args));
  }

  callRaw(command: string, ...args: RedisArgument[]): Promise<RespReply | null> {
    const send = (_: Redis, raw: RawReplies) => raw.call(command, args);
    return this.#run(command, commandKey(command, args), send) as Promise<RespReply | null>;
  }

  script(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    return this.#run(`script ${script.name}`, keys[0] ?? null, scriptSender(script, keys, args));
  }

  async missing(key: string, names: readonly string[]): Promise<ReadonlySet<string>> {
    const list = (client: Redis) => client.call('CLIENT', ['LIST', 'TYPE', 'normal']);
    return missingLinks(String(await this.#run('CLIENT', key, list)), names);
  }

  /** The nodes that hold slots, found out anew, each bound to its present connection. */
  async primaries(): Promise<readonly RedisPrimary[]> {
    this.#maps.renew();
    const found = await this.#whole.run('naming its nodes', () => Promise.resolve(this.#primariesNow()));
    return found as readonly RedisPrimary[];
  }

  close(): void {
    this.#closed = true;
    this.#nodes.close();
    for (const calls of [this.#whole, ...this.#slots.values()]) calls.end(this.#closedByUs());
  }

  #run(
    doing: string,
    key: string | Buffer | null,
    send: (client: Redis, raw: RawReplies) => Promise<unknown>,
  ): Promise<unknown> {
    const slot = key === null ? 0 : keySlot(key);
    let calls = this.#slots.get(slot);
    if (calls === undefined) {
      calls = this.#orderedCalls(() => this.#slotReady(slot));
      this.#slots.set(slot, calls);
    }
    let asked: RedisAddress | null = null;
    return calls.run(doing, async () => {
      const elsewhere = asked;
      asked = null;
      const address = elsewhere ?? (ownerOf(this.#maps.map, slot) as RedisAddress);
      const { client, raw, opened } = this.#nodes.at(address);
      const stopWatch = this.#watch(address);
      try {
        if (elsewhere !== null && client.status !== 'ready') await opened;
        const asking = elsewhere === null ? null : client.call('ASKING');
        const [answer] = await Promise.all([send(client, raw), asking]);
        return answer;
      } catch (error) {
        const to = redirection(error, address);
        if (to?.kind === 'ask') asked = to.to;
        else this.#learn(error, to === null ? null : () => moveSlot(this.#maps.map, slot, to.to));
        throw error;
      } finally {
        stopWatch();
      }
    });
  }

  #watch(address: RedisAddress): () => void {
    const { clock } = this.#options;
    const look = () => {
      if (this.#closed) return;
      this.#maps.checkOn(address);
      stop = clock.after(LIMITS.clusterSilentMs, look);
    };
    let stop = clock.after(LIMITS.clusterSilentMs, look);
    return () => stop();
  }

  #orderedCalls(ready: () => Promise<void> | null): OrderedCalls {
    return new OrderedCalls({
      ...this.#options,
      ready: () => {
        if (this.#closed) throw this.#closedByUs();
        return this.#maps.upToDate() ?? ready();
      },
      again: (failure) => !this.#closed && failure !== 'memory' && failure !== 'refused',
      unavailable: (doing) => this.#unavailable(doing),
    });
  }

  #slotReady(slot: number): Promise<void> | null {
    const address = ownerOf(this.#maps.map, slot);
    if (address === null) return this.#uncovered();
    const { client, opened } = this.#nodes.at(address);
    return client.status === 'ready' ? null : opened;
  }

  #allReady(): Promise<void> | null {
    const primaries = primariesOf(this.#maps.map);
    if (primaries === null) return this.#uncovered();
    const opening = primaries
      .map(({ address }) => this.#nodes.at(address))
      .filter(({ client }) => client.status !== 'ready');
    return opening.length === 0
      ? null
      : Promise.all(opening.map(({ opened }) => opened)).then(() => undefined);
  }

  #uncovered(): Promise<void> | null {
    this.#lastError = 'some slots are held by no node.';
    this.#maps.doubt();
    return this.#maps.upToDate();
  }

  #primariesNow(): readonly RedisPrimary[] {
    return (primariesOf(this.#maps.map) ?? []).map(({ address, holds }) => {
      const { client } = this.#nodes.at(address);
      const settled = (doing: string, answer: Promise<unknown>) =>
        answer.catch((error: unknown) => {
          throw redisError(error, `${doing} at ${addressText(address)}`);
        });
      return {
        losses: 0,
        keyOf: (base) => keyInSlot(base, holds),
        call: (command, ...args) => settled(command, client.call(command, args)),
        script: (script, keys, args) => {
          const send = scriptSender(script, keys, args);
          const sendWhole = (error: unknown) => {
            if (redisFailure(error) !== 'noscript') throw error;
            return send(client);
          };
          return settled(`script ${script.name}`, send(client).catch(sendWhole));
        },
      };
    });
  }

  /** Takes from a failure what it says of the cluster (RK1, RK3). */
  #learn(error: unknown, move: (() => void) | null): void {
    if (move !== null) {
      move();
      this.#losses++;
    } else if (/^(CLUSTERDOWN|MASTERDOWN)/.test(errorText(error))) this.#maps.doubt();
    this.#noteError(error);
  }

  #noteError(error: unknown): void {
    this.#lastError = errorText(error);
  }

  #closedByUs(): MillraceError {
    return new MillraceError(
      'MR_REDIS_UNAVAILABLE',
      `The connection to Redis at ${this.#place} was closed by us.`,
    );
  }

  #unavailable(doing: string): MillraceError {
    return new MillraceError(
      'MR_REDIS_UNAVAILABLE',
      `Redis at ${this.#place} did not carry out ${doing} within ${this.#options.unavailableMs} ms: ${this.#lastError} Check that its nodes are up and reachable.`,
    );
  }
}
