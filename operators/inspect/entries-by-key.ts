/**
 * The places of each key's entries in stored lists, out of the list that says which key an entry belongs to: one pass for all keys.
 */
export function entriesByKey(keys: ArrayLike<number>): (key: number) => readonly number[] {
  const places: number[][] = [];
  for (let place = 0; place < keys.length; place++) {
    const key = keys[place] as number;
    const known = places[key];
    if (known === undefined) places[key] = [place];
    else known.push(place);
  }
  return (key) => places[key] ?? [];
}
