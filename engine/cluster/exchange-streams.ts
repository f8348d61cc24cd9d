import { generation as checkedGeneration } from '../base/brand.ts';
import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { exchangeKey, jobKeys, validName } from '../redis/keys.ts';
import type { ClusterContext } from './cluster-context.ts';
import { CLUSTER_SCRIPTS } from './cluster-scripts.ts';

/** The hosts of one generation of a job, each of which may write to each other one. */
export interface ExchangePlan {
  readonly job: string;
  readonly generation: number;
  readonly hosts: readonly string[];
}

/**
 * The life of the streams between the hosts of a generation; what is in them is the transport's.
 * Owns nothing; suspends at every call. A call may reach the server twice (RC2): a stream that comes back so is empty and runs out.
 *
 * XS1 A stream exists from `create` to `drop`. Writers use XADD with NOMKSTREAM and ids from 1-0 on: a nil reply tells a writer of a
 *     dropped generation that it is one, and brings nothing back.
 * XS2 Whatever is never dropped runs out `ttlMs` after it was created or refreshed last.
 * XS3 The plan is noted under the job before the first stream is made, so that a later coordinator can drop what it did not create.
 */
export class ExchangeStreams {
  readonly #context: ClusterContext;
  readonly #ttlMs: number;

  constructor(context: ClusterContext, options: { readonly ttlMs?: number } = {}) {
    this.#context = context;
    this.#ttlMs = options.ttlMs ?? LIMITS.exchangeTtlMs;
  }

  /** Notes the plan and makes its streams, empty. @throws MR_CONFIG_INVALID, MR_REDIS_UNAVAILABLE */
  async create(plan: ExchangePlan): Promise<void> {
    checkPlan(plan);
    const { link, namespace } = this.#context;
    const { exchanges } = jobKeys(namespace, plan.job);
    const note = [plan.generation, JSON.stringify(plan.hosts)];
    await link.script(CLUSTER_SCRIPTS.noteExchange, [exchanges], note);
    const keys = plan.hosts.flatMap((to) => this.#into(plan, to));
    await this.#each(keys, (key) => link.script(CLUSTER_SCRIPTS.createExchange, [key], [this.#ttlMs]));
  }

  /** Keeps the streams into one host from running out: its heartbeat, every third of the ttl. @throws MR_REDIS_UNAVAILABLE */
  async refresh(plan: ExchangePlan, to: string): Promise<void> {
    await this.#each(this.#into(plan, to), (key) => this.#context.link.call('PEXPIRE', key, this.#ttlMs));
  }

  /** Deletes the streams of a generation; the answer is how many there were. @throws MR_REDIS_UNAVAILABLE */
  async drop(job: string, generation: number): Promise<number> {
    const { link, namespace } = this.#context;
    const { exchanges } = jobKeys(namespace, job);
    const noted = await link.call('HGET', exchanges, generation);
    if (typeof noted !== 'string') return 0;
    const hosts = JSON.parse(noted) as readonly string[];
    let dropped = 0;
    await this.#each(hosts, async (to) => {
      const keys = this.#into({ job, generation, hosts }, to);
      const count = keys.length > 0 ? Number(await link.call('UNLINK', ...keys)) : 0;
      dropped += count;
    });
    await link.call('HDEL', exchanges, generation);
    return dropped;
  }

  /** Deletes what earlier generations left. @throws MR_REDIS_UNAVAILABLE */
  async dropBefore(job: string, generation: number): Promise<number> {
    const noted = await this.#context.link.call('HKEYS', jobKeys(this.#context.namespace, job).exchanges);
    const earlier = (noted as readonly string[]).map(Number).filter((other) => other < generation);
    let dropped = 0;
    for (const other of earlier.sort((a, b) => a - b)) dropped += await this.drop(job, other);
    return dropped;
  }

  /** Keys of the streams into one host; all in one slot. */
  #into({ job, generation, hosts }: ExchangePlan, to: string): string[] {
    return hosts
      .filter((from) => from !== to)
      .map((from) => exchangeKey(this.#context.namespace, job, generation, from, to));
  }

  async #each<T>(items: readonly T[], act: (item: T) => Promise<unknown>): Promise<void> {
    const size = LIMITS.exchangeCallsInFlightMax;
    for (let i = 0; i < items.length; i += size) await Promise.all(items.slice(i, i + size).map(act));
  }
}

function checkPlan({ job, generation, hosts }: ExchangePlan): void {
  checkedGeneration(generation);
  for (const host of hosts) validName(host, 'host');
  if (new Set(hosts).size === hosts.length && hosts.length <= LIMITS.exchangeHostsMax) return;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `Job '${job}' cannot run on ${hosts.length} hosts: use at most ${LIMITS.exchangeHostsMax}, each once. Give workers more slots.`,
  );
}
