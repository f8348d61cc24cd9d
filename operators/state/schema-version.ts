import { errorText, MillraceError } from '#engine';
import type { StateDeclaration, StateKind } from './state-kinds.ts';

/** What a stored state says of itself. */
export interface StoredSchema {
  readonly kind: StateKind;
  readonly version: number;
}

/**
 * What makes a value of the declared version out of a stored one: the upgrade functions from the stored version on, in turn.
 * @throws MR_STATE_INCOMPATIBLE when the stored kind is another, the stored version is newer, or a step is missing; the returned
 *     function throws it when an upgrade does
 */
export function upgradeFrom(
  stored: StoredSchema,
  { kind, options }: StateDeclaration<unknown, unknown>,
  name: string,
  operator: string,
): (value: unknown) => unknown {
  const refuse = (what: string, cause?: unknown) =>
    new MillraceError('MR_STATE_INCOMPATIBLE', `State '${name}' of operator '${operator}' ${what}`, {
      details: { operator, state: name },
      ...(cause === undefined ? {} : { cause }),
    });
  const { version = 1, upgrade = {} } = options;
  if (stored.kind !== kind)
    throw refuse(
      `is stored as ${stored.kind} state and declared as ${kind} state. Declare the new one under another name.`,
    );
  if (stored.version > version)
    throw refuse(
      `is stored in version ${stored.version}, the job declares version ${version}. Run the newer job, or start from a checkpoint of this one.`,
    );
  const steps = Array.from({ length: version - stored.version }, (_, i) => upgrade[stored.version + i]);
  const missing = steps.indexOf(undefined);
  if (missing >= 0)
    throw refuse(
      `is stored in version ${stored.version}, the job declares version ${version} without an upgrade from ${stored.version + missing}. Add upgrade: { ${stored.version + missing}: (old) => … }.`,
    );
  return (value) =>
    steps.reduce<unknown>((before, step, i) => {
      try {
        return step?.(before);
      } catch (error) {
        throw refuse(`cannot be upgraded from version ${stored.version + i}: ${errorText(error)}.`, error);
      }
    }, value);
}
