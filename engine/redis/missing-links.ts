import { LIMITS } from '../base/limits.ts';

/** A name for a link's connections that no other one has. */
export function linkName(what: string, uuid: string): string {
  return `${what}#${uuid.slice(0, 8)}`;
}

/**
 * The names that no connection has, by a reply of CLIENT LIST. Empty while no link has been connected for LIMITS.linkAbsentMs: the
 * server has just begun, or has just become the primary, and everybody is on the way.
 */
export function missingLinks(reply: string, names: readonly string[]): ReadonlySet<string> {
  const missing = new Set(names);
  let oldestMs = 0;
  for (const line of reply.split('\n')) {
    const name = / name=(\S+#[0-9a-f]{8}) /.exec(line)?.[1];
    if (name === undefined) continue;
    missing.delete(name);
    oldestMs = Math.max(oldestMs, Number(/ age=(\d+) /.exec(line)?.[1] ?? 0) * 1_000);
  }
  return oldestMs < LIMITS.linkAbsentMs ? new Set() : missing;
}
