import type { Clock } from '../base/clock.ts';
import { LIMITS } from '../base/limits.ts';
import type { HostHandle } from '../host/host-protocol.ts';
import type { LowestByGroup } from '../source/watermark-alignment.ts';

/**
 * Tells each host of an attempt what the others have reached, every LIMITS.hostStatusEveryMs, until the returned function is called.
 * A host knows its own by itself, so that it never waits for an old report of its own (WA4).
 */
export function relayAlignment(
  hosts: readonly Pick<HostHandle, 'status' | 'align'>[],
  clock: Clock,
): () => void {
  if (hosts.length < 2) return () => {};
  const told: LowestByGroup[] = hosts.map(() => ({}));
  let cancel = () => {};
  const round = () => {
    const others = lowestOfOthers(hosts.map((host) => host.status().alignment ?? {}));
    for (const [i, host] of hosts.entries()) {
      const lowest = others[i] as LowestByGroup;
      if (!isSame(lowest, told[i] as LowestByGroup)) host.align(lowest);
      told[i] = lowest;
    }
    cancel = clock.after(LIMITS.hostStatusEveryMs, round);
  };
  round();
  return () => cancel();
}

/** For each report, the minimum over all the other ones. */
export function lowestOfOthers(reports: readonly LowestByGroup[]): readonly LowestByGroup[] {
  return reports.map((_, own) => {
    const lowest: Record<string, number> = {};
    for (const [i, report] of reports.entries()) {
      if (i === own) continue;
      for (const [group, watermark] of Object.entries(report))
        lowest[group] = Math.min(lowest[group] ?? watermark, watermark);
    }
    return lowest;
  });
}

function isSame(a: LowestByGroup, b: LowestByGroup): boolean {
  const groups = Object.keys(a);
  return groups.length === Object.keys(b).length && groups.every((group) => a[group] === b[group]);
}
