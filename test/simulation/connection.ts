import type { SimKernel } from './kernel.ts';
import type { SimNetwork } from './network.ts';
import type { SimProcess } from './process.ts';
import { type RedisModelArgument, toBytes } from './redis-model/bytes.ts';
import type { Answer as ModelAnswer } from './redis-model/redis-reply.ts';
import { RedisReplyError } from './redis-model/redis-reply-error.ts';
import type { Command, SimServer } from './server.ts';

/**
 * One simulated TCP connection of a process to a server.
 *
 * Owns what is under way on it, in both directions, and the command that blocks it. Does not reconnect (link.ts).
 *
 * CN1 Requests arrive in the order in which they were sent, and so do replies.
 * CN2 After `close` no reply is delivered. Requests under way are lost, or arrive late: a server that was stalled still reads what its
 *     kernel had received, perhaps after what was sent again on a newer connection.
 */
export class SimConnection {
  readonly process: SimProcess;
  readonly server: SimServer;
  readonly #kernel: SimKernel;
  readonly #network: SimNetwork;
  readonly #onLoss: () => void;
  readonly #queue: Request[] = [];
  #open = true;
  #requestMs = 0;
  #replyMs = 0;
  #delayMs = 0;
  #lostFrom = Number.POSITIVE_INFINITY;
  #sent = 0;
  #writes = 0;
  #unblock: (() => void) | null = null;

  constructor(options: SimConnectionOptions) {
    this.#kernel = options.kernel;
    this.#network = options.network;
    this.process = options.process;
    this.server = options.server;
    this.#onLoss = options.onLoss;
  }

  get open(): boolean {
    return this.#open;
  }

  /** Sends a command with its bytes as they are now; `onReply` gets the answer unless the connection is lost before. */
  send(args: readonly RedisModelArgument[], onReply: (answer: Answer) => void): void {
    if (!this.#open) return; // the client has not heard of it yet
    const command = args.map(toBytes);
    const request: Request = { command, onReply, number: this.#sent++ };
    const leavesMs = this.#kernel.nowMs + this.process.spentMs;
    this.#requestMs = Math.max(this.#requestMs + GAP_MS, leavesMs + this.#network.transitMs(this.process));
    const dueMs = this.#requestMs - this.#kernel.nowMs;
    this.#kernel.mark(bytesOf(command));
    this.#kernel.schedule(
      dueMs,
      null,
      () => `request ${textOf(command)}`,
      () => this.#arrive(request),
    );
  }

  /** The server or the network ends it; the client hears of it as soon as it can. */
  lose(underWay: UnderWay): void {
    if (!this.#open) return;
    this.close(underWay);
    this.process.schedule(this.#network.transitMs(this.process), 'connection lost', this.#onLoss);
  }

  /** Ends it without telling the client. */
  close(underWay: UnderWay): void {
    this.#open = false;
    if (underWay.kind === 'lost') this.#lostFrom = 0;
    else this.#delayMs = underWay.delayMs;
  }

  #arrive(request: Request): void {
    if (!this.server.up || request.number >= this.#lostFrom) return;
    if (!this.#open && this.#delayMs > 0) {
      const delayMs = this.#delayMs + request.number * GAP_MS;
      this.#kernel.schedule(
        delayMs,
        null,
        () => `late ${textOf(request.command)}`,
        () => this.#late(request),
      );
      return;
    }
    if (this.#open) {
      const fault = this.#network.takeFault(this.process);
      if (fault === 'request-lost') return this.lose({ kind: 'lost' });
      if (fault === 'late') return this.#delay(request);
      if (fault === 'reply-lost') {
        this.#queue.push(request);
        this.#pump();
        return this.lose({ kind: 'lost' });
      }
    }
    this.#queue.push(request);
    this.#pump();
  }

  /** The client gives the connection up while the server has not read the request yet. */
  #delay(request: Request): void {
    this.lose({ kind: 'late', delayMs: this.#network.lateMs() });
    this.#arrive(request);
  }

  #late(request: Request): void {
    if (!this.server.up) return;
    this.#queue.push(request);
    this.#pump();
  }

  /** Carries out what has arrived, up to a command that blocks. */
  #pump(): void {
    while (this.#unblock === null) {
      const request = this.#queue.shift();
      if (request === undefined) return;
      const [name] = request.command;
      if (name === 'WAIT') this.#wait(request);
      else if (name === 'XREAD') this.#read(request);
      else this.#answer(request, this.#execute(request.command));
    }
  }

  #execute(command: Command): Answer {
    const before = this.server.writes;
    try {
      return { kind: 'reply', reply: this.server.execute(command) };
    } catch (error) {
      if (error instanceof RedisReplyError) return { kind: 'error', error };
      throw error;
    } finally {
      if (this.server.writes > before) this.#writes = this.server.writes;
    }
  }

  /** WAIT replicas ms: as soon as the replica has what this connection has written. */
  #wait(request: Request): void {
    const [, wanted, timeoutMs] = request.command.map(Number) as [number, number, number];
    const writes = this.#writes;
    const haveMs = Math.max(0, this.server.replicatedMs(writes) - this.#kernel.nowMs);
    const answer = () => {
      const count = this.server.replicatedMs(writes) <= this.#kernel.nowMs ? 1 : 0;
      this.#answer(request, { kind: 'reply', reply: count });
    };
    const waitMs = wanted > 1 ? timeoutMs : Math.min(haveMs, timeoutMs);
    if (waitMs === 0) answer();
    else this.#block(waitMs + GAP_MS, answer);
  }

  #read(request: Request): void {
    const { command, blockMs, keys } = withoutBlock(request.command);
    const answer = this.#execute(command);
    if (blockMs === null || answer.kind === 'error' || answer.reply !== null)
      return this.#answer(request, answer);
    let asked = false;
    const look = () => {
      asked = false;
      const found = this.#execute(command);
      if (this.#unblock !== unblock || (found.kind === 'reply' && found.reply === null)) return;
      end(found);
    };
    const unwatch = this.server.watch(keys, () => {
      if (!asked) this.#kernel.schedule(0, null, 'unblock', look);
      asked = true;
    });
    const end = (found: Answer) => {
      unwatch();
      cancel();
      this.#unblock = null;
      if (this.#open && this.server.up) {
        this.#answer(request, found);
        this.#pump();
      }
    };
    const unblock = () => end({ kind: 'reply', reply: null });
    this.#unblock = unblock;
    const cancel = blockMs === 0 ? () => {} : this.#kernel.schedule(blockMs, null, 'block ends', unblock);
  }

  #block(ms: number, then: () => void): void {
    this.#unblock = () => {
      this.#unblock = null;
      if (!this.#open || !this.server.up) return;
      then();
      this.#pump();
    };
    this.#kernel.schedule(ms, null, 'wait ends', this.#unblock);
  }

  #answer({ command, onReply }: Request, answer: Answer): void {
    const transitMs = this.#network.transitMs(this.process);
    this.#replyMs = Math.max(this.#replyMs + GAP_MS, this.#kernel.nowMs + transitMs);
    const dueMs = this.#replyMs - this.#kernel.nowMs;
    // Not through SimProcess.schedule: a reply under way owes nothing to what the process is doing now.
    this.#kernel.schedule(
      dueMs,
      this.process,
      () => `reply ${command[0]}`,
      () => {
        if (this.#open) onReply(answer);
      },
    );
  }
}

export interface SimConnectionOptions {
  readonly kernel: SimKernel;
  readonly network: SimNetwork;
  readonly process: SimProcess;
  readonly server: SimServer;
  /** Called as an event of the process. */
  readonly onLoss: () => void;
}

export type Answer =
  | { readonly kind: 'reply'; readonly reply: ModelAnswer }
  | { readonly kind: 'error'; readonly error: RedisReplyError };

/** What becomes of requests that have been sent and have not arrived. */
export type UnderWay =
  | { readonly kind: 'lost' }
  /** They arrive this much later; 0 = as if nothing had happened. */
  | { readonly kind: 'late'; readonly delayMs: number };

interface Request {
  readonly command: Command;
  readonly onReply: (answer: Answer) => void;
  readonly number: number;
}

/** Between two messages on one connection. */
const GAP_MS = 0.001;

/** XREAD [COUNT n] [BLOCK ms] STREAMS key … id …, taken apart. */
function withoutBlock(command: Command): {
  command: Command;
  blockMs: number | null;
  keys: ReadonlySet<string>;
} {
  const streams = command.indexOf('STREAMS');
  const block = command.indexOf('BLOCK');
  const keys = new Set(command.slice(streams + 1, streams + 1 + (command.length - streams - 1) / 2));
  if (block < 0 || block > streams) return { command, blockMs: null, keys };
  return {
    command: command.filter((_, i) => i !== block && i !== block + 1),
    blockMs: Number(command[block + 1]),
    keys,
  };
}

/** A command for the trace: its name, first key and size. */
function textOf(command: Command): string {
  const [name, first, , key] = command;
  const subject = name === 'EVALSHA' || name === 'EVAL' ? `${first?.slice(0, 6)} ${key}` : String(first);
  return `${name} ${subject} ${bytesOf(command)}`;
}

function bytesOf(command: Command): number {
  return command.reduce((sum, word) => sum + word.length, 0);
}
