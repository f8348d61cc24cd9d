import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { type JobKeys, jobKeys, jobNamesKey, validName } from '../redis/keys.ts';
import type { ClusterContext } from './cluster-context.ts';
import { CLUSTER_SCRIPTS } from './cluster-scripts.ts';
import {
  answerText,
  boundedJson,
  changeFields,
  DESIRED_FIELDS,
  type DesiredJob,
  type JobChange,
  type JobRequest,
  type JsonObject,
  parseAnswer,
  parseDesired,
  parseRequest,
  type RequestKind,
  type SettledAnswer,
} from './job-commands.ts';
import type { JobLease } from './job-lease.ts';

/** What a coordinator last said about its job. */
export interface PublishedStatus {
  readonly leaseToken: string;
  readonly version: number;
  /** Epoch ms by the server's clock. */
  readonly publishedAt: number;
  readonly document: Uint8Array;
}

/** How a change was taken: `revision` is the job's after it, or the one that stands against it. */
export type ChangeOutcome =
  | { readonly kind: 'changed'; readonly revision: number }
  | { readonly kind: 'conflict'; readonly revision: number };

/**
 * What jobs should be, what their coordinators are asked, and what they say. Anybody writes desired states and requests, by command id;
 * the coordinator follows them, answers requests and publishes the status.
 * Owns nothing; suspends at every call. A call may reach the server twice (RC2), which changes nothing.
 *
 * DJ1 Every command is applied at one instant, and the revision rises by one with every change.
 * DJ2 A command id is carried out once: repeated, it changes nothing and answers what it answered, while it is among the
 *     LIMITS.commandsKept newest answered ones of its job or still pending.
 * DJ3 Only the newest lease of a job answers requests and publishes its status. (It may have run out: the last status says how a job ended.)
 * DJ4 A job with a desired state is listed, unless its removal was cut off: names are added before and after a change, and taken
 *     before the rest is removed. (They lie in another slot.)
 */
export class JobRegistry {
  readonly #context: ClusterContext;

  constructor(context: ClusterContext) {
    this.#context = context;
  }

  /**
   * Changes what a job should be, and makes it when it is new. With `atRevision` (0: the job must be new) only if nobody else has
   * changed it meanwhile.
   * @throws MR_CONFIG_INVALID, MR_CONTROL_TOO_LARGE, MR_API_CONFLICT when the id is that of a request, MR_REDIS_UNAVAILABLE
   */
  async change(
    job: string,
    commandId: string,
    change: JobChange,
    atRevision?: number,
  ): Promise<ChangeOutcome> {
    const { link, clock } = this.#context;
    const { desired, commands, settled } = this.#keys(job);
    const id = validName(commandId, 'command id');
    const fields = changeFields(change);
    const command = JSON.stringify({ kind: 'change', args: {}, requestedAt: clock.now() });
    await this.#list(job);
    const args = [id, command, atRevision ?? '', LIMITS.commandsKept, ...fields];
    const reply = await link.script(CLUSTER_SCRIPTS.changeJob, [desired, commands, settled], args);
    await this.#list(job); // again: a removal may have come between (DJ4)
    const [kind, fact] = reply as ['settled', string] | ['pending'] | ['conflict', number];
    if (kind === 'conflict') return { kind, revision: Number(fact) };
    const answer = kind === 'settled' ? parseAnswer(fact as string) : null;
    const revision = answer?.state === 'done' ? answer.result['revision'] : undefined;
    if (typeof revision === 'number') return { kind: 'changed', revision };
    throw new MillraceError(
      'MR_API_CONFLICT',
      `Command '${id}' of job '${job}' was a request before. Give each command its own id.`,
    );
  }

  /** What a job should be; null when nobody has said. @throws MR_REDIS_UNAVAILABLE */
  async desired(job: string): Promise<DesiredJob | null> {
    const fields = await this.#context.link.call('HMGET', this.#keys(job).desired, ...DESIRED_FIELDS);
    return parseDesired(job, fields as readonly (string | null)[]);
  }

  /** All jobs, by name. @throws MR_REDIS_UNAVAILABLE */
  async jobs(): Promise<readonly DesiredJob[]> {
    const { link, namespace } = this.#context;
    const names = (await link.call('SMEMBERS', jobNamesKey(namespace))) as readonly string[];
    const found: DesiredJob[] = [];
    const size = LIMITS.exchangeCallsInFlightMax;
    for (let i = 0; i < names.length; i += size) {
      const some = await Promise.all(names.slice(i, i + size).map((name) => this.desired(name)));
      found.push(...some.filter((job) => job !== null));
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Asks the coordinator for something, and tells how that stands; repeat it to learn the answer.
   * @throws MR_API_NOT_FOUND without such a job, MR_API_LIMITED with too many pending, MR_CONTROL_TOO_LARGE, MR_REDIS_UNAVAILABLE
   */
  async request(
    job: string,
    commandId: string,
    kind: RequestKind,
    args: JsonObject = {},
  ): Promise<JobRequest> {
    const { link, clock } = this.#context;
    const { desired, commands, pending } = this.#keys(job);
    const id = validName(commandId, 'command id');
    const value = { kind, args, requestedAt: clock.now() };
    const command = boundedJson(value, LIMITS.commandBytesMax, `Request '${id}' of job '${job}'`);
    const reply = await link.script(
      CLUSTER_SCRIPTS.requestJob,
      [desired, commands, pending],
      [id, command, LIMITS.commandsPendingMax],
    );
    return requestOf(job, id, reply);
  }

  /** A request and its answer; null when it is not known (any more). @throws MR_REDIS_UNAVAILABLE */
  async requested(job: string, commandId: string): Promise<JobRequest | null> {
    const id = validName(commandId, 'command id');
    const { commands } = this.#keys(job);
    const reply = await this.#context.link.call('HMGET', commands, id, `${id}:answer`);
    const [command, answer] = reply as [string | null, string | null];
    return command === null ? null : parseRequest(id, command, answer ?? undefined);
  }

  /** Requests without answer, in the order in which they came. @throws MR_REDIS_UNAVAILABLE */
  async pending(job: string): Promise<readonly JobRequest[]> {
    const { commands, pending } = this.#keys(job);
    const reply = await this.#context.link.script(CLUSTER_SCRIPTS.pendingRequests, [commands, pending], []);
    const flat = reply as readonly string[];
    const requests: JobRequest[] = [];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      requests.push(parseRequest(flat[i] as string, flat[i + 1] as string));
    }
    return requests;
  }

  /**
   * Answers a request for good; the answer that was first stays, and is given back. Null: another lease has been given since.
   * @throws MR_API_NOT_FOUND without such a request, MR_CONTROL_TOO_LARGE, MR_REDIS_UNAVAILABLE
   */
  async settle(lease: JobLease, commandId: string, answer: SettledAnswer): Promise<JobRequest | null> {
    const { leases, commands, pending, settled } = this.#keys(lease.job);
    const id = validName(commandId, 'command id');
    const reply = await this.#context.link.script(
      CLUSTER_SCRIPTS.settleRequest,
      [leases, commands, pending, settled],
      [lease.leaseToken, id, answerText(answer), LIMITS.commandsKept],
    );
    return (reply as readonly string[])[0] === 'fenced' ? null : requestOf(lease.job, id, reply);
  }

  /**
   * Replaces the status document of a job. Versions rise with every call under one lease; one that is not higher than what is there
   * answers `stale`, or `published` when it is the same (a repeated call). `fenced`: another lease has been given since.
   * @throws MR_CONTROL_TOO_LARGE, MR_REDIS_UNAVAILABLE
   */
  async publishStatus(
    lease: JobLease,
    version: number,
    document: Uint8Array,
  ): Promise<'published' | 'stale' | 'fenced'> {
    if (document.length > LIMITS.jobStatusBytesMax) {
      throw new MillraceError(
        'MR_CONTROL_TOO_LARGE',
        `The status of job '${lease.job}' has ${document.length} bytes; ${LIMITS.jobStatusBytesMax} are possible.`,
      );
    }
    const { leases, status } = this.#keys(lease.job);
    const bytes = Buffer.from(document.buffer, document.byteOffset, document.byteLength);
    const args = [lease.leaseToken, version, bytes];
    const reply = await this.#context.link.script(CLUSTER_SCRIPTS.publishStatus, [leases, status], args);
    return reply as 'published' | 'stale' | 'fenced';
  }

  /** @throws MR_REDIS_UNAVAILABLE */
  async status(job: string): Promise<PublishedStatus | null> {
    const { status } = this.#keys(job);
    const reply = await this.#context.link.callBuffer('HMGET', status, 'token', 'version', 'at', 'document');
    const [token, version, at, document] = reply as (Buffer | null)[];
    if (!token || !version || !at || !document) return null;
    return {
      leaseToken: String(token),
      version: Number(version),
      publishedAt: Number(at),
      document: new Uint8Array(document), // a copy: what arrives may be a view of a larger buffer
    };
  }

  /**
   * Forgets a job, its requests and its status; its checkpoints stay.
   * @throws MR_API_CONFLICT while a coordinator holds its lease, MR_REDIS_UNAVAILABLE
   */
  async remove(job: string): Promise<void> {
    const { link, namespace } = this.#context;
    const { lease, leases, desired, commands, pending, settled, status } = this.#keys(job);
    const keys = [lease, leases, desired, commands, pending, settled, status];
    const names = jobNamesKey(namespace);
    await link.call('SREM', names, job);
    if ((await link.script(CLUSTER_SCRIPTS.removeJob, keys, [])) === 0) {
      await this.#list(job);
      throw new MillraceError(
        'MR_API_CONFLICT',
        `Job '${job}' has a coordinator. Cancel it, and remove it when it has ended.`,
      );
    }
  }

  async #list(job: string): Promise<void> {
    const { link, namespace } = this.#context;
    const listed = await link.script(
      CLUSTER_SCRIPTS.noteJob,
      [jobNamesKey(namespace)],
      [job, LIMITS.jobsMax],
    );
    if (listed === 1) return;
    throw new MillraceError(
      'MR_API_LIMITED',
      `Job '${job}' cannot be taken: namespace '${namespace}' has ${LIMITS.jobsMax} jobs. Remove some, or use another namespace.`,
    );
  }

  #keys(job: string): JobKeys {
    return jobKeys(this.#context.namespace, job);
  }
}

function requestOf(job: string, id: string, reply: unknown): JobRequest {
  const [kind, command, answer] = reply as [
    'pending' | 'settled' | 'unknown' | 'full',
    string | undefined,
    string?,
  ];
  switch (kind) {
    case 'pending':
    case 'settled':
      return parseRequest(id, command as string, answer);
    case 'unknown':
      throw new MillraceError(
        'MR_API_NOT_FOUND',
        `Request '${id}' cannot be handled: there is no such job or request of '${job}'. Check the name.`,
      );
    case 'full':
      throw new MillraceError(
        'MR_API_LIMITED',
        `Job '${job}' has ${LIMITS.commandsPendingMax} requests without answer. Wait until its coordinator has answered some.`,
      );
  }
}
