import { setImmediate } from 'node:timers/promises';
import type { AttemptEnvironment } from '../../engine/runtime/attempt-environment.ts';
import type { Random } from '../../engine/base/random.ts';
import type { CheckpointStore } from '../../engine/checkpoint/checkpoint-store.ts';
import type { HostsPlan, OpenHosts } from '../../engine/coordinator/open-hosts.ts';
import { HostExchange } from '../../engine/exchange/host-exchange.ts';
import type { ExchangePart, PeerTransport } from '../../engine/exchange/peer-transport.ts';
import type { HostCommand, HostPort, HostReport } from '../../engine/host/host-messages.ts';
import type { HostHandle } from '../../engine/host/host-protocol.ts';
import { RemoteHost } from '../../engine/host/remote-host.ts';
import { serveHost } from '../../engine/host/serve-host.ts';
import { TaskHost } from '../../engine/host/task-host.ts';

export interface LocalHostsOptions {
  readonly hosts: number;
  readonly store: CheckpointStore;
  /** Draws how many turns of the event loop each message takes. */
  readonly random: Random;
  /** Default 3. */
  readonly turnsMax?: number;
  /** Told of every host of an attempt when it begins to open. */
  readonly onHost?: (remote: RemoteHost, host: number) => void;
}

/**
 * A job's slots on several hosts of this thread, slot i on host i modulo their number. They and the coordinator know each other by messages
 * alone, which are copied as between threads and take their time; those from one to another arrive in order.
 */
export function hostsOverMessages(options: LocalHostsOptions): OpenHosts {
  return async (plan, environment) => {
    const { parallelism } = plan.deployment;
    const count = Math.min(options.hosts, parallelism);
    const places = Array.from({ length: parallelism }, (_, slot) => slot % count);
    const hosts = Array.from({ length: count }, (_, host) => host);
    const transports = connectPeers(hosts, options);
    const opening = hosts.map((host) =>
      openHost({ plan, environment, host, places, peers: transports.get(host) ?? new Map(), options }),
    );
    const settled = await Promise.allSettled(opening);
    const failed = settled.find((one) => one.status === 'rejected');
    if (failed === undefined) return Promise.all(opening);
    await Promise.all(settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value.close()] : [])));
    throw failed.reason;
  };
}

/** A host that answers some things otherwise. */
export function otherwise(host: HostHandle, changes: Partial<HostHandle>): HostHandle {
  return {
    starts: host.starts,
    run: () => host.run(),
    checkpoint: (id) => host.checkpoint(id),
    abort: (id) => host.abort(id),
    completed: (id) => host.completed(id),
    stopSources: (drain) => host.stopSources(drain),
    align: (lowest) => host.align(lowest),
    stop: () => host.stop(),
    status: () => host.status(),
    close: () => host.close(),
    ...changes,
  };
}

interface Opening {
  readonly plan: HostsPlan;
  readonly environment: AttemptEnvironment;
  readonly host: number;
  readonly places: readonly number[];
  readonly peers: ReadonlyMap<number, PeerTransport>;
  readonly options: LocalHostsOptions;
}

async function openHost({ plan, environment, host, places, peers, options }: Opening): Promise<RemoteHost> {
  const { graph, deployment } = plan;
  const commands = new Wire<HostCommand>(options);
  const reports = new Wire<HostReport>(options);
  const here: HostPort<HostCommand, HostReport> = {
    post: (command) => commands.send(command),
    listen: (arrived) => reports.listen(arrived),
  };
  const there: HostPort<HostReport, HostCommand> = {
    post: (report) => reports.send(report),
    listen: (arrived) => commands.listen(arrived),
  };
  const served = serveHost(there, environment.clock, async (deployed) => {
    let opened: TaskHost | null = null;
    const exchange = new HostExchange({ graph, host, places, peers, wake: () => opened?.wake() });
    opened = await TaskHost.open({
      graph,
      deployment: deployed,
      environment,
      store: options.store,
      exchange,
    });
    return opened;
  });
  const release = () => served;
  return RemoteHost.open(here, { ...deployment, host, places }, release, (remote) =>
    options.onHost?.(remote, host),
  );
}

/** Per host, the way to each other one. */
function connectPeers(
  hosts: readonly number[],
  options: LocalHostsOptions,
): ReadonlyMap<number, Map<number, PeerTransport>> {
  const transports = new Map(hosts.map((host) => [host, new Map<number, PeerTransport>()]));
  const wire = () => new Wire<readonly ExchangePart[]>(options);
  const end = (out: ReturnType<typeof wire>, into: ReturnType<typeof wire>): PeerTransport => ({
    send: (parts) =>
      out.send(
        parts,
        parts.flatMap((part) => ('bytes' in part ? [part.bytes.buffer] : [])),
      ),
    listen: (arrived) => into.listen(arrived),
    failed: new Promise<never>(() => {}),
    close: async () => {
      out.cut();
      into.cut();
    },
  });
  for (const a of hosts) {
    for (const b of hosts.slice(a + 1)) {
      const [there, back] = [wire(), wire()];
      transports.get(a)?.set(b, end(there, back));
      transports.get(b)?.set(a, end(back, there));
    }
  }
  return transports;
}

/** One way for messages: in order, each some turns after the one before. */
class Wire<Message> {
  readonly #random: Random;
  readonly #turnsMax: number;
  readonly #queue: Message[] = [];
  #arrived: ((message: Message) => void) | null = null;
  #carrying = false;
  #isCut = false;

  constructor({ random, turnsMax = 3 }: Pick<LocalHostsOptions, 'random' | 'turnsMax'>) {
    this.#random = random;
    this.#turnsMax = turnsMax;
  }

  send(message: Message, transfer: readonly ArrayBuffer[] = []): void {
    if (this.#isCut) return;
    this.#queue.push(structuredClone(message, { transfer: [...transfer] }));
    void this.#carry();
  }

  listen(arrived: (message: Message) => void): void {
    this.#arrived = arrived;
    void this.#carry();
  }

  cut(): void {
    this.#isCut = true;
    this.#queue.length = 0;
  }

  async #carry(): Promise<void> {
    if (this.#carrying || this.#arrived === null) return;
    this.#carrying = true;
    while (this.#queue.length > 0) {
      for (let turns = Math.floor(this.#random() * (this.#turnsMax + 1)); turns > 0; turns--)
        await setImmediate();
      await Promise.resolve();
      const message = this.#queue.shift();
      if (message !== undefined) this.#arrived(message);
    }
    this.#carrying = false;
  }
}
