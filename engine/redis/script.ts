import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { invariant } from '../base/errors.ts';

/** One Lua script: sent as EVALSHA, and as EVAL to a server that does not know it yet. */
export interface Script {
  readonly name: string;
  readonly keyCount: number;
  readonly source: string;
  /** SHA-1 of the source, as Redis names it. */
  readonly sha: string;
}

/**
 * Reads `<name>-<keyCount>.lua`. A script's header names its KEYS, its ARGV, its reply and what it keeps true.
 * @example const append = loadScript(new URL('./scripts/append-4.lua', import.meta.url));
 */
export function loadScript(url: URL): Script {
  const path = fileURLToPath(url);
  const parts = /([a-z-]+)-(\d+)\.lua$/.exec(path);
  invariant(parts !== null, `script file ${path} is named <name>-<keyCount>.lua`);
  const source = readFileSync(path, 'utf8');
  return {
    name: parts[1] as string,
    keyCount: Number(parts[2]),
    source,
    sha: createHash('sha1').update(source).digest('hex'),
  };
}
