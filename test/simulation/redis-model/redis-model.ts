import { type Bytes, type RedisModelArgument, toBytes } from './bytes.ts';
import type { Command } from './command.ts';
import { HASH_COMMANDS } from './hash-commands.ts';
import { KEY_COMMANDS } from './key-commands.ts';
import { Keyspace } from './keyspace.ts';
import { type DumpedKey, dumpKeyspace } from './keyspace-dump.ts';
import { LIST_COMMANDS } from './list-commands.ts';
import type { LuaScript } from './lua-script.ts';
import { type Answer, type Reply, replyOf } from './redis-reply.ts';
import { RedisReplyError } from './redis-reply-error.ts';
import { scriptCommands } from './script-commands.ts';
import { serverCommands, type ServerSettings } from './server-commands.ts';
import { SET_COMMANDS } from './set-commands.ts';
import { sha1 } from './sha1.ts';
import { SORTED_SET_COMMANDS } from './sorted-set-commands.ts';
import { STREAM_COMMANDS } from './stream-commands.ts';
import { STRING_COMMANDS } from './string-commands.ts';

/*
 * One Redis 7.0 in memory, as a simulation needs it: commands one after another, each at one instant, with the texts and rules of the
 * real server (redis-model.contract.ts runs on both).
 *
 * Owns: keys, known scripts and settings of one server. Does not own: time, connections, waiting (`wouldServe` tells whether a
 * blocking command would have to), what is on disk and at replicas (`onWrite`, `fork` and `apply` are for those).
 * Nothing suspends.
 *
 * RM1 The same commands at the same instants give the same replies and the same keys; nothing else goes in, not even the order in
 *     which a real server would list a large hash.
 * RM2 Applying the writes of one model to a fork of it gives the same keys.
 * RM3 What the model has no answer for fails with RedisModelGap, never with an answer.
 */
export class RedisModel {
  readonly #now: () => number;
  readonly #keys: Keyspace;
  readonly #settings: ServerSettings;
  readonly #scripts = new Map<Bytes, LuaScript>();
  readonly #commands: ReadonlyMap<string, Command>;
  readonly #listeners = new Set<(write: RedisWrite) => void>();
  #forks = 0;
  #isApplying = false;

  constructor(options: RedisModelOptions, keys: Keyspace = new Keyspace()) {
    const { now, ...settings } = { ...DEFAULTS, ...options };
    this.#now = now;
    this.#keys = keys;
    this.#settings = settings;
    this.#commands = new Map(
      Object.entries({
        ...DATA_COMMANDS,
        ...serverCommands(this.#settings, (name) => this.#commands.get(name.toUpperCase())?.arity ?? null),
        ...scriptCommands(this.#scripts, (script, names, args) => this.#runScript(script, names, args)),
      }),
    );
  }

  /** Bytes in use, by a coarse reckoning of its own. */
  get usedBytes(): number {
    return this.#keys.usedBytes;
  }

  /** `master_replid` of INFO. */
  get historyId(): string {
    return this.#settings.historyId;
  }

  /**
   * Carries out one command now. A blocking command answers null at once when it would have to wait.
   * @throws RedisReplyError with the server's text; RedisModelGap for what is not part of the model
   */
  execute(args: readonly RedisModelArgument[]): Reply {
    return replyOf(this.carryOut(args.map(toBytes)));
  }

  /** The same with words and an answer in the model's own form, which nobody has to copy. */
  carryOut(words: readonly Bytes[]): Answer {
    return this.#execute(words, this.#now());
  }

  /**
   * Carries out a write of the model that this is a fork of, as of then. Its reply is left out, whatever it is (RM2). As a replica, and as
   * one that reads its append-only file, it takes what was taken once, also over maxmemory.
   */
  apply(write: RedisWrite): void {
    this.#isApplying = true;
    try {
      this.#execute(write.words, write.atMs);
    } catch (error) {
      if (!(error instanceof RedisReplyError)) throw error;
    } finally {
      this.#isApplying = false;
    }
  }

  /** False when the command would wait: it blocks, and there is nothing yet. Changes nothing. */
  wouldServe(args: readonly RedisModelArgument[]): boolean {
    const words = args.map(toBytes);
    if (!blocks(words)) return true;
    try {
      return this.#execute(words, this.#now()) !== null;
    } catch (error) {
      if (error instanceof RedisReplyError) return true;
      throw error;
    }
  }

  /** Calls `listener` after each command that changed something, or may have. Returns what ends that. */
  onWrite(listener: (write: RedisWrite) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Another server with the keys of this one, as a restarted or a promoted one has them: it knows no scripts, nobody listens, and its
   * history has another id.
   */
  fork(options: Partial<RedisModelOptions> = {}): RedisModel {
    this.#keys.advance(this.#now());
    const historyId = sha1(`${this.#settings.historyId} ${this.#forks++}`);
    return new RedisModel(
      { now: this.#now, ...this.#settings, historyId, ...options },
      new Keyspace(this.#keys),
    );
  }

  /** All keys by name with their values, as of now. */
  dump(): readonly DumpedKey[] {
    this.#keys.advance(this.#now());
    return dumpKeyspace(this.#keys);
  }

  #execute(words: readonly Bytes[], nowMs: number): Answer {
    this.#keys.advance(nowMs);
    try {
      const command = this.#find(words);
      if (command.grows && this.#full) throw outOfMemory();
      return command.run(words.slice(1), this.#keys);
    } finally {
      const changed = this.#keys.takeChanged();
      if (changed.size > 0 && this.#listeners.size > 0) this.#tell(words, nowMs, changed);
    }
  }

  get #full(): boolean {
    return (
      !this.#isApplying && this.#settings.maxmemory > 0 && this.#keys.usedBytes > this.#settings.maxmemory
    );
  }

  #find(words: readonly Bytes[]): Command {
    const name = words[0] ?? '';
    const command = this.#named(name);
    if (command === undefined) throw unknownCommand(words);
    if (!arityFits(command, words))
      throw new RedisReplyError(`ERR wrong number of arguments for '${name.toLowerCase()}' command`);
    return command;
  }

  #named(name: Bytes): Command | undefined {
    return this.#commands.get(name) ?? this.#commands.get(name.toUpperCase());
  }

  #runScript(script: LuaScript, keys: readonly Bytes[], args: readonly Bytes[]): Answer {
    const full = this.#full;
    const refuses = full && !script.flags?.has('allow-oom');
    if (refuses && script.flags !== null && !script.flags.has('no-writes')) throw outOfMemory();
    let wrote = false;
    return script.run(keys, args, (words) => {
      const command = this.#named(words[0] as Bytes);
      if (command === undefined) throw new RedisReplyError('ERR Unknown Redis command called from script');
      if (!arityFits(command, words))
        throw new RedisReplyError('ERR Wrong number of args calling Redis command from script');
      if (command.isForAdmins) throw new RedisReplyError('ERR This Redis command is not allowed from script');
      if (blocks(words))
        throw new RedisReplyError('ERR XREAD command is not allowed with BLOCK option from scripts');
      if (command.writes && script.flags?.has('no-writes'))
        throw new RedisReplyError('ERR Write commands are not allowed from read-only scripts.');
      // A script that has written must be able to end.
      if (refuses && !wrote && command.grows) throw outOfMemory();
      wrote ||= command.writes;
      return command.run(words.slice(1), this.#keys);
    });
  }

  /** A script is told by its text: those who apply it need not know it. */
  #tell(words: readonly Bytes[], atMs: number, changed: ReadonlySet<Bytes>): void {
    const body =
      words[0]?.toUpperCase() === 'EVALSHA'
        ? this.#scripts.get((words[1] as Bytes).toLowerCase())?.body
        : undefined;
    const sent = body === undefined ? words : ['EVAL', body, ...words.slice(2)];
    const write: RedisWrite = { words: sent, atMs, keys: changed };
    for (const listener of this.#listeners) listener(write);
  }
}

export interface RedisModelOptions {
  /** Epoch ms, whole, never falling. */
  readonly now: () => number;
  /** Bytes as {@link RedisModel.usedBytes} counts them, above which commands that grow are refused; 0 for no limit, the default. */
  readonly maxmemory?: number;
  /** What CONFIG GET tells; the model itself keeps no file. Default no and everysec. */
  readonly appendonly?: 'yes' | 'no';
  readonly appendfsync?: 'always' | 'everysec' | 'no';
  readonly historyId?: string;
  /** What WAIT answers at once. Default none. */
  readonly replicasConfirmed?: () => number;
}

/** A command that changed something, and when. */
export interface RedisWrite {
  readonly words: readonly Bytes[];
  readonly atMs: number;
  /** The keys that were changed, or may have been, also those that a script made up. */
  readonly keys: ReadonlySet<Bytes>;
}

const DEFAULTS = {
  maxmemory: 0,
  appendonly: 'no',
  appendfsync: 'everysec',
  historyId: sha1(''),
  replicasConfirmed: () => 0,
} as const;

const DATA_COMMANDS = {
  ...STRING_COMMANDS,
  ...KEY_COMMANDS,
  ...HASH_COMMANDS,
  ...LIST_COMMANDS,
  ...SET_COMMANDS,
  ...SORTED_SET_COMMANDS,
  ...STREAM_COMMANDS,
};

function arityFits(command: Command, words: readonly Bytes[]): boolean {
  return command.arity < 0 ? words.length >= -command.arity : words.length === command.arity;
}

function blocks(words: readonly Bytes[]): boolean {
  const [name = ''] = words;
  if (name.length !== 'XREAD'.length || name.toUpperCase() !== 'XREAD') return false;
  return words.some((word) => word.toUpperCase() === 'BLOCK');
}

function outOfMemory(): RedisReplyError {
  return new RedisReplyError("OOM command not allowed when used memory > 'maxmemory'.");
}

function unknownCommand(words: readonly Bytes[]): RedisReplyError {
  const [name = '', ...args] = words;
  const beginning = args.map((arg) => `'${arg}' `).join('');
  return new RedisReplyError(`ERR unknown command '${name}', with args beginning with: ${beginning}`);
}
