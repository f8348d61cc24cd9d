import type { SimRedis } from '../redis.ts';

/** What a job that has ended must not leave in Redis: streams between hosts and inboxes that never run out, and stages. */
export function leftoversIn(
  redis: SimRedis,
  { isStageKept }: { readonly isStageKept: boolean },
): readonly string[] {
  const { model } = redis.primary;
  const names = model.execute(['KEYS', '*']) as readonly unknown[];
  const problems: string[] = [];
  for (const name of names.map(String).sort()) {
    const isBrief = name.includes('{x:') || name.includes('{in:');
    if (isBrief && Number(model.execute(['PEXPIRETIME', name])) < 0) problems.push(`${name} never runs out`);
    if (!isStageKept && /\}:g(:|$)/.test(name)) problems.push(`${name} is left of a stage`);
  }
  return problems;
}
