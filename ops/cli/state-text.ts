import { inspect } from 'node:util';

/** State as JSON: bytes as hex, big integers and numbers that JSON does not know as text. */
export function stateJson(state: unknown): string {
  return JSON.stringify(state, (_, value: unknown) => {
    if (typeof value === 'bigint') return value.toString();
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
    if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
    if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array);
    if (value instanceof Map) return [...(value as ReadonlyMap<unknown, unknown>)];
    return value;
  });
}

/** The same for people; long lists are cut. */
export function stateText(state: unknown): string {
  return inspect(state, {
    depth: 8,
    maxArrayLength: 50,
    maxStringLength: 500,
    breakLength: 120,
    sorted: false,
  });
}

/** A key as it is typed: JSON, or a plain word. */
export function keyFromText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
