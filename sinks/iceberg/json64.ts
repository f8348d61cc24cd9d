/**
 * JSON that keeps 64-bit whole numbers: other engines write snapshot ids with all 63 bits, which `JSON.parse` rounds.
 * A whole number outside ±2⁵³ becomes a bigint; everything else is plain JSON.
 */
export function parseJson64(text: string): unknown {
  return parseWithSource(text, (_key, value, { source }) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value) || source === undefined) return value;
    return /^-?\d+$/.test(source) ? BigInt(source) : value;
  });
}

/** The inverse of {@link parseJson64}: bigints are written as bare digits. */
export function stringifyJson64(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'bigint' ? rawJson(item.toString()) : item,
  );
}

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

// JSON.parse source text access (ES2026) is in Node 24 but not yet in TypeScript's es2024 library.
const { parse: parseWithSource, rawJSON: rawJson } = JSON as unknown as {
  readonly parse: (text: string, reviver: Reviver) => unknown;
  readonly rawJSON: (text: string) => unknown;
};
