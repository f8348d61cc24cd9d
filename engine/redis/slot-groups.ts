import type { RedisLink } from './redis-link.ts';

/** Splits items by what may meet in one command: by slot on a cluster, not at all elsewhere. */
export function slotGroups<Item>(
  { slotOf }: Pick<RedisLink, 'slotOf'>,
  items: readonly Item[],
  keyOf: (item: Item) => string,
): readonly (readonly Item[])[] {
  if (slotOf === undefined || items.length < 2) return items.length === 0 ? [] : [items];
  return [...Map.groupBy(items, (item) => slotOf(keyOf(item))).values()];
}
