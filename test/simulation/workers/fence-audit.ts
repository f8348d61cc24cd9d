import { loadScript } from '#engine';
import { type Answer, isList } from '../redis-model/redis-reply.ts';
import { sha1 } from '../redis-model/sha1.ts';
import type { RedisObserver } from '../redis.ts';
import type { Command } from '../server.ts';

/**
 * Watches Redis for writes of generations that are over: what a fence has closed must stay closed. Counts for itself, from commands and
 * replies alone; whatever a new primary does not have is forgotten.
 */
export class FenceAudit implements RedisObserver {
  readonly problems: string[] = [];
  /** Per thing that is fenced, the highest generation that it was opened for. */
  readonly #generations = new Map<string, number>();
  readonly #aliases = new Map<string, string>();
  #publisher = '';

  readonly executed = (command: Command, answer: Answer): void => {
    const [name] = command;
    if (name !== 'EVALSHA' && name !== 'EVAL') return;
    const sha = shaOfCall(command);
    const rule = RULES.get(this.#aliases.get(sha) ?? sha);
    if (rule === undefined) return;
    const keyCount = Number(command[2]);
    const keys = command.slice(3, 3 + keyCount);
    const args = command.slice(3 + keyCount);
    rule(this, { keys, arg: (i) => args[i] ?? '', reply: textAt(answer, 0), second: textAt(answer, 1) });
  };

  promoted(): void {
    this.#generations.clear();
    this.#publisher = '';
  }

  /** A script that stands for one of the engine's. */
  alias(sha: string, standsFor: string): void {
    this.#aliases.set(sha, standsFor);
  }

  /** From here on nothing older than `generation` may write to `thing`. */
  open(thing: string, generation: number): void {
    this.#generations.set(thing, Math.max(this.#generations.get(thing) ?? 0, generation));
  }

  wrote(thing: string, generation: number, what: string): void {
    const open = this.#generations.get(thing) ?? 0;
    if (generation < open)
      this.problems.push(
        `${what} of generation ${generation} is accepted by ${thing}, which is generation ${open}'s`,
      );
    this.open(thing, generation);
  }

  owns(thing: string, token: string, generation: number): void {
    this.#publisher = token;
    this.open(thing, generation);
  }

  publishes(thing: string, token: string, generation: number): void {
    this.wrote(thing, generation, 'a checkpoint');
    if (this.#publisher !== '' && this.#publisher !== token)
      this.problems.push(
        `a checkpoint under token ${token} is accepted after ${this.#publisher} was given out`,
      );
  }
}

interface Executed {
  readonly keys: readonly string[];
  readonly arg: (i: number) => string;
  /** The reply, or its first item, and its second one. */
  readonly reply: string;
  readonly second: string;
}

type Rule = (audit: FenceAudit, executed: Executed) => void;

const ENGINE = '../../../engine';
const shaOf = (path: string): string => loadScript(new URL(path, import.meta.url)).sha;

/** Which script calls open what for a generation, and which write under one. */
const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  [
    shaOf(`${ENGINE}/checkpoint/scripts/take-over-1.lua`),
    (audit, { keys, reply, second }) => audit.owns(`${keys[0]}`, reply, Number(second)),
  ],
  [
    shaOf(`${ENGINE}/checkpoint/scripts/next-generation-1.lua`),
    (audit, { keys, arg, reply, second }) => {
      if (reply === 'ok') audit.owns(`${keys[0]}`, arg(0), Number(second));
    },
  ],
  [
    shaOf(`${ENGINE}/log/scripts/fence-sink-1.lua`),
    (audit, { keys, arg, reply }) => {
      if (reply === 'OK') audit.open(`${keys[0]} sink ${arg(0)}`, Number(arg(1)));
    },
  ],
  [
    shaOf(`${ENGINE}/log/scripts/stage-3.lua`),
    (audit, { keys, arg, reply }) => {
      if (reply === 'OK') audit.wrote(`${keys[0]} sink ${arg(0)}`, Number(arg(3)), 'a stage');
    },
  ],
  [
    shaOf(`${ENGINE}/checkpoint/scripts/write-blob-3.lua`),
    (audit, { keys, arg, reply }) => {
      if (reply === 'write') audit.wrote(`${keys[0]}`, Number(arg(1)), 'a blob');
    },
  ],
  [
    shaOf(`${ENGINE}/checkpoint/scripts/publish-4.lua`),
    (audit, { keys, arg, reply }) => {
      if (reply === 'publish') audit.publishes(`${keys[0]}`, arg(0), Number(arg(1)));
    },
  ],
  [
    shaOf('../../../sinks/timeseries/scripts/open-series-4.lua'),
    (audit, { keys, arg, reply }) => {
      if (reply === arg(1)) audit.open(`${keys[0]}`, Number(arg(1)));
    },
  ],
  [
    shaOf('../../../sinks/timeseries/scripts/write-points-6.lua'),
    (audit, { keys, arg, reply }) => {
      if (reply === 'ok') audit.wrote(`${keys[0]}`, Number(arg(1)), 'a point');
    },
  ],
]);

function shaOfCall(command: Command): string {
  const [name, script = ''] = command;
  return name === 'EVALSHA' ? script : sha1(script);
}

function textAt(answer: Answer, index: number): string {
  const item = isList(answer) ? answer[index] : index === 0 ? answer : null;
  if (item === null || item === undefined || isList(item)) return '';
  return typeof item === 'object' ? item.status : String(item);
}
