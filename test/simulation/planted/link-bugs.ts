import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { loadScript } from '#engine';
import type { RedisArgument, RedisLink } from '../../../engine/redis/redis-link.ts';
import type { Script } from '../../../engine/redis/script.ts';
import type { PlantedBug } from './planted-bug.ts';

const FOLDERS = [
  '../../../engine/log/scripts/',
  '../../../engine/checkpoint/scripts/',
  '../../../sinks/timeseries/scripts/',
];

/** Engine's SHA → the script without the lines that refuse an older generation or token. */
const unfenced = new Map<string, Pick<Script, 'source' | 'sha'>>(
  FOLDERS.flatMap((folder) => {
    const url = new URL(folder, import.meta.url);
    return readdirSync(url).flatMap((file) => {
      const script = loadScript(new URL(file, url));
      const source = script.source.replaceAll(/^\s*if .* then return \{'(fenced|FENCED)'.*\} end$/gm, '');
      if (source === script.source) return [];
      const sha = createHash('sha1').update(source).digest('hex');
      return [[script.sha, { source, sha }] as const];
    });
  }),
);

export const noFencing: PlantedBug = {
  name: 'no-fencing',
  what: 'Redis takes what older generations write',
  aliases: new Map([...unfenced].map(([sha, script]) => [script.sha, sha])),
  link: (link) => wrapped(link, { script: (script) => ({ ...script, ...unfenced.get(script.sha) }) }),
};

const EXCHANGE_KEY = /^(.*\{x:[^:]+:)\d+(:.*)$/;

export const reusedExchange: PlantedBug = {
  name: 'reused-exchange-stream',
  what: 'the streams between hosts are the same for all generations, and stay',
  link: (link) =>
    wrapped(link, {
      argument: (argument) =>
        typeof argument === 'string' ? argument.replace(EXCHANGE_KEY, '$10$2') : argument,
      drops: (command, args) => command === 'UNLINK' && EXCHANGE_KEY.test(String(args[0])),
    }),
};

function wrapped(
  link: RedisLink,
  bug: {
    readonly script?: (script: Script) => Script;
    readonly argument?: (argument: RedisArgument) => RedisArgument;
    readonly drops?: (command: string, args: readonly RedisArgument[]) => boolean;
  },
): RedisLink {
  const { script = (same) => same, argument = (same) => same, drops = () => false } = bug;
  return {
    name: link.name,
    get server() {
      return link.server;
    },
    get losses() {
      return link.losses;
    },
    call: async (command, ...args) => (drops(command, args) ? 0 : link.call(command, ...args.map(argument))),
    callBuffer: async (command, ...args) => {
      const reply = await link.callBuffer(command, ...args.map(argument));
      return command === 'XREAD' ? renamed(reply, args) : reply;
    },
    callRaw: (command, ...args) => link.callRaw(command, ...args.map(argument)),
    script: (one, keys, args) =>
      link.script(
        script(one),
        keys.map((key) => String(argument(key))),
        args,
      ),
    missing: (key, names) => link.missing(key, names),
    close: () => link.close(),
  };

  /** The reader knows its streams by the names that it asked for. */
  function renamed(reply: unknown, args: readonly RedisArgument[]): unknown {
    if (!Array.isArray(reply)) return reply;
    const asked = new Map(args.map((name) => [String(argument(name)), String(name)]));
    return (reply as (readonly [Buffer, unknown])[]).map(([key, entries]) => [
      Buffer.from(asked.get(String(key)) ?? String(key)),
      entries,
    ]);
  }
}
