import type { Bytes } from './bytes.ts';

/** A pattern of KEYS and HSCAN as a predicate: `*`, `?`, `[…]`, and `\` before what stands for itself. */
export function globMatcher(pattern: Bytes): (text: Bytes) => boolean {
  const source = pattern.replace(
    /\\(.)|\[(\^?)((?:\\.|[^\]])*)\]|([*?])|([^\w])/gs,
    (_, escaped?: string, not?: string, set?: string, wild?: string, other?: string) => {
      if (escaped !== undefined) return quoted(escaped);
      if (set !== undefined) return `[${not ?? ''}${set.replace(/[[\]^]/g, '\\$&')}]`;
      if (wild !== undefined) return wild === '*' ? '.*' : '.';
      return quoted(other ?? '');
    },
  );
  const expression = new RegExp(`^${source}$`, 's');
  return (text) => expression.test(text);
}

function quoted(character: string): string {
  return /\w/.test(character) ? character : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
