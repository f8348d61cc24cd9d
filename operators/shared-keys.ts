import { type KeySelector, MillraceError, type OperatorContext } from '#engine';

/**
 * The key selectors of both inputs, which must be found the same way for a key of one to be a key of the other.
 * @throws MR_GRAPH_INVALID
 */
export function sharedKeys({ operator, inputKeys }: OperatorContext): readonly [KeySelector, KeySelector] {
  const [left, right] = inputKeys;
  if (left && right && text(left) === text(right)) return [left, right];
  throw new MillraceError(
    'MR_GRAPH_INVALID',
    `Operator '${operator}' has inputs keyed by ${text(left)} and by ${text(right)}. Key both by the same fields, or both by functions that return the same keys.`,
    { details: { operator } },
  );
}

function text(keys: KeySelector | null | undefined): string {
  if (!keys) return 'nothing';
  return keys.kind === 'function' ? 'a function' : `fields ${keys.fields.join(', ')}`;
}
