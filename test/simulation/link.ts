import { MillraceError } from '../../engine/base/errors.ts';
import { LIMITS } from '../../engine/base/limits.ts';
import { backoffMs } from '../../engine/base/random.ts';
import { linkName, missingLinks } from '../../engine/redis/missing-links.ts';
import type { RedisArgument, RedisLink, RedisLinkOptions } from '../../engine/redis/redis-link.ts';
import { redisError, redisFailure } from '../../engine/redis/redis-error.ts';
import type { RespReply } from '../../engine/redis/resp-scanner.ts';
import type { Script } from '../../engine/redis/script.ts';
import type { ServerFacts } from '../../engine/redis/server-facts.ts';
import { encodedReply, scannedReply } from '../support/resp.ts';
import { type Answer, SimConnection, type UnderWay } from './connection.ts';
import type { SimProcess } from './process.ts';
import type { SimRedis } from './redis.ts';
import { type Answer as ModelAnswer, isList, replyOf } from './redis-model/redis-reply.ts';
import { toText } from './redis-model/bytes.ts';
import type { SimServer } from './server.ts';

/**
 * A link of a simulated process to simulated Redis, which behaves as RedisConnection does.
 *
 * Owns the calls without an answer. RC1: a call settles within `unavailableMs`. RC2: what is unanswered at a loss is sent again.
 * RC3: in the order of the calls. RC4: what was not sent before its time was up is not sent any more.
 */
export class SimLink implements RedisLink {
  readonly name: string;
  readonly server: ServerFacts = { product: 'redis', version: '7.0.15', waitAof: false };
  readonly #redis: SimRedis;
  readonly #process: SimProcess;
  readonly #unavailableMs: number;
  #connection: SimConnection | null = null;
  #unanswered: Call[] = [];
  #losses = 0;
  #attempts = 0;
  #closed = false;
  #heardMs = 0;
  #connectedMs = 0;
  #watching = false;

  constructor(redis: SimRedis, process: SimProcess, options: RedisLinkOptions) {
    this.#redis = redis;
    this.#process = process;
    this.name = linkName(options.name, process.uuid());
    this.#unavailableMs = options.unavailableMs ?? LIMITS.redisUnavailableMs;
    this.#connect(0);
  }

  /** Resolves when the server has answered. @throws MR_REDIS_UNAVAILABLE, and closes */
  async ready(): Promise<void> {
    try {
      await this.call('PING');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get losses(): number {
    return this.#losses;
  }

  get process(): SimProcess {
    return this.#process;
  }

  async call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return asTexts(await this.#call(command, [command, ...args]));
  }

  async callBuffer(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return replyOf(await this.#call(command, [command, ...args]));
  }

  async callRaw(command: string, ...args: RedisArgument[]): Promise<RespReply | null> {
    const answer = await this.#call(command, [command, ...args]);
    return answer === null ? null : scannedReply(encodedReply(replyOf(answer)));
  }

  async script(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    const rest = [script.keyCount, ...keys, ...args];
    const doing = `script ${script.name}`;
    return asTexts(
      await this.#call(doing, ['EVALSHA', script.sha, ...rest], ['EVAL', script.source, ...rest]),
    );
  }

  /** Asks as the real one does; the model knows no connections, so the answer is made here. */
  async missing(_key: string, names: readonly string[]): Promise<ReadonlySet<string>> {
    await this.call('PING');
    return missingLinks(this.#redis.clientList(), names);
  }

  /** Its line of CLIENT LIST at a server; null while it is not connected to that. A process that is frozen or cut off still is. */
  clientLine(server: SimServer): string | null {
    if (this.#connection?.server !== server) return null;
    const ageSeconds = Math.floor((this.#redis.kernel.nowMs - this.#connectedMs) / 1_000);
    return `name=${this.name} age=${ageSeconds} idle=0`;
  }

  close(): void {
    this.#closed = true;
    this.#redis.forget(this);
    this.#connection?.close({ kind: 'late', delayMs: 0 });
    this.#connection = null;
    for (const call of this.#unanswered.splice(0))
      call.reject(this.#refusal(call, new Error('Connection is closed.')));
  }

  /** Breaks the connection, if there is one (to that server). */
  lose(underWay: UnderWay, server: SimServer | null = null): void {
    if (server === null || this.#connection?.server === server) this.#connection?.lose(underWay);
  }

  #call(
    doing: string,
    args: readonly RedisArgument[],
    fallback?: readonly RedisArgument[],
  ): Promise<ModelAnswer> {
    if (this.#process.state === 'dead') return new Promise(() => {}); // SP1
    return new Promise<ModelAnswer>((resolve, reject) => {
      const call: Call = {
        doing,
        args,
        fallback: fallback ?? null,
        deadlineMs: this.#process.clock.monotonic() + this.#unavailableMs,
        sent: false,
        expired: false,
        refusals: 0,
        resolve,
        reject,
      };
      if (this.#closed) return reject(this.#refusal(call, new Error('Connection is closed.')));
      this.#unanswered.push(call);
      if (this.#connection !== null) this.#send(call, this.#connection);
      this.#watch();
    });
  }

  #send(call: Call, connection: SimConnection): void {
    call.sent = true;
    if (this.#process.state !== 'dead') connection.send(call.args, (answer) => this.#onAnswer(call, answer));
  }

  #onAnswer(call: Call, answer: Answer): void {
    this.#heardMs = this.#process.clock.monotonic();
    if (answer.kind === 'reply') return this.#settle(call, () => call.resolve(answer.reply));
    const { error } = answer;
    const failure = redisFailure(error);
    if (failure === 'noscript' && call.fallback !== null) {
      call.args = call.fallback;
      return this.#again(call);
    }
    if (error.message.startsWith('READONLY')) this.#connection?.lose({ kind: 'late', delayMs: 0 });
    if (failure !== 'transient') return this.#settle(call, () => call.reject(redisError(error, call.doing)));
    const pauseMs = backoffMs(call.refusals++, 10, 1_000, this.#process.random);
    this.#remove(call);
    this.#process.clock.after(pauseMs, () => {
      if (call.expired) return;
      if (this.#closed) return call.reject(this.#refusal(call, error));
      this.#again(call);
    });
  }

  /** Sends a call once more, behind the others. */
  #again(call: Call): void {
    this.#remove(call);
    this.#unanswered.push(call);
    if (this.#connection !== null) this.#send(call, this.#connection);
    this.#watch();
  }

  #settle(call: Call, act: () => void): void {
    this.#remove(call);
    if (!call.expired) act();
  }

  #remove(call: Call): void {
    const index = this.#unanswered.indexOf(call);
    if (index >= 0) this.#unanswered.splice(index, 1);
  }

  #onLoss(connection: SimConnection): void {
    if (this.#connection !== connection || this.#closed) return;
    this.#connection = null;
    this.#losses++;
    this.#reconnect();
  }

  #reconnect(): void {
    const delayMs = backoffMs(this.#attempts++, 50, LIMITS.redisReconnectMsMax, this.#process.random);
    this.#connect(delayMs);
  }

  /** Opens a connection after `delayMs`: there and back once, then everything unanswered is sent. */
  #connect(delayMs: number): void {
    const { network, kernel } = this.#redis;
    this.#process.schedule(delayMs, 'connect', () => {
      if (this.#closed) return;
      const server = this.#redis.server();
      if (server === null || !network.reaches(this.#process)) return this.#reconnect();
      const onLoss = () => this.#onLoss(connection);
      const connection = new SimConnection({ kernel, network, process: this.#process, server, onLoss });
      this.#process.schedule(2 * network.transitMs(this.#process), 'connected', () =>
        this.#onReady(connection),
      );
    });
  }

  #onReady(connection: SimConnection): void {
    if (this.#closed) return;
    if (!connection.server.up) return this.#reconnect();
    this.#attempts = 0;
    this.#connection = connection;
    this.#connectedMs = this.#redis.kernel.nowMs;
    this.#heardMs = this.#process.clock.monotonic();
    this.#unanswered = this.#unanswered.filter((call) => call.sent || !call.expired);
    for (const call of this.#unanswered) this.#send(call, connection);
  }

  /** Keeps one timer while calls wait: for their deadlines, and for a connection that says nothing. */
  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    const deadlines = this.#unanswered.map(({ deadlineMs }) => deadlineMs);
    const dueMs = Math.min(this.#heardMs + LIMITS.redisSocketTimeoutMs, ...deadlines);
    const restMs = dueMs - this.#process.clock.monotonic();
    this.#process.clock.after(Math.max(WATCH_MS, restMs), () => {
      this.#watching = false;
      if (this.#closed) return;
      const nowMs = this.#process.clock.monotonic();
      for (const call of this.#unanswered) {
        if (call.expired || nowMs < call.deadlineMs) continue;
        call.expired = true;
        call.reject(this.#unavailable(call));
      }
      this.#unanswered = this.#unanswered.filter((call) => call.sent || !call.expired);
      if (this.#unanswered.length === 0) return;
      if (this.#connection !== null && nowMs - this.#heardMs > LIMITS.redisSocketTimeoutMs)
        this.#connection.lose({ kind: 'late', delayMs: 0 });
      this.#watch();
    });
  }

  #unavailable(call: Call): MillraceError {
    return new MillraceError(
      'MR_REDIS_UNAVAILABLE',
      `Simulated Redis did not carry out ${call.doing} within ${this.#unavailableMs} ms. Look at the faults of this seed.`,
    );
  }

  #refusal(call: Call, error: Error): MillraceError {
    return redisError(error, call.doing);
  }
}

interface Call {
  readonly doing: string;
  args: readonly RedisArgument[];
  /** What is sent when the server does not know the script. */
  readonly fallback: readonly RedisArgument[] | null;
  /** Monotonic ms. */
  readonly deadlineMs: number;
  sent: boolean;
  expired: boolean;
  refusals: number;
  readonly resolve: (answer: ModelAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** How often a link looks at most whether calls have waited too long. */
const WATCH_MS = 250;

function asTexts(answer: ModelAnswer): unknown {
  if (typeof answer === 'string') return toText(answer);
  if (typeof answer === 'bigint') return Number(answer);
  if (answer === null || typeof answer === 'number') return answer;
  return isList(answer) ? answer.map(asTexts) : toText(answer.status);
}
