import { type ErrorCode, type JsonObject, MillraceError, validName } from '#engine';

/** What can be asked of the cluster for one job. */
export type JobCommand =
  /** Runs this code from now on, and makes the job when it is new. */
  | {
      readonly kind: 'deploy';
      readonly job: string;
      /** SHA-256 of a bundle in the BundleStore. */
      readonly bundle: string;
      /** Default: as it was, or as the job declares it. */
      readonly parallelism?: number;
      /** Begins from there instead of the job's newest checkpoint. */
      readonly restoreFrom?: { readonly job: string; readonly checkpoint: number };
      /** Operators that the code does not have any more, and whose state is to be dropped. */
      readonly allowNonRestored?: readonly string[];
    }
  | { readonly kind: 'cancel'; readonly job: string }
  /** Ends it with a last checkpoint. */
  | { readonly kind: 'stop'; readonly job: string }
  | { readonly kind: 'stop-with-savepoint'; readonly job: string; readonly drain?: boolean }
  | { readonly kind: 'savepoint'; readonly job: string }
  | { readonly kind: 'rescale'; readonly job: string; readonly parallelism: number }
  /** Anew from a checkpoint; a job that was stopped runs again. */
  | { readonly kind: 'restart'; readonly job: string }
  /** A second job of another name from a checkpoint (default: a new savepoint) of this one. */
  | {
      readonly kind: 'fork';
      readonly job: string;
      readonly name: string;
      readonly bundle?: string;
      readonly checkpoint?: number;
    }
  /** Forgets a job that does not run; its checkpoints stay. */
  | { readonly kind: 'remove'; readonly job: string };

export type CommandKind = JobCommand['kind'];

/** How a command ended, as plain data. */
export type CommandAnswer =
  | { readonly kind: 'done'; readonly result: JsonObject }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

type Check = (value: unknown) => boolean;

const wholeFrom =
  (min: number): Check =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= min;
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const sha256: Check = (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
const boolean: Check = (value) => typeof value === 'boolean';
const name: Check = (value) => typeof value === 'string' && validName(value, 'job name') === value;
const restoreFrom: Check = (value) =>
  typeof value === 'object' &&
  value !== null &&
  name((value as JsonObject)['job']) &&
  wholeFrom(1)((value as JsonObject)['checkpoint']);

const names: Check = (value) => Array.isArray(value) && value.length > 0 && value.every(name);

const FIELDS: Readonly<Record<CommandKind, Readonly<Record<string, Check>>>> = {
  deploy: {
    bundle: sha256,
    parallelism: optional(wholeFrom(1)),
    restoreFrom: optional(restoreFrom),
    allowNonRestored: optional(names),
  },
  cancel: {},
  stop: {},
  'stop-with-savepoint': { drain: optional(boolean) },
  savepoint: {},
  rescale: { parallelism: wholeFrom(1) },
  restart: {},
  fork: { name, bundle: optional(sha256), checkpoint: optional(wholeFrom(1)) },
  remove: {},
};

/** What came over a queue, checked. @throws MR_API_INVALID naming the field, MR_CONFIG_INVALID for a name that no job can have */
export function checkedCommand(value: unknown): JobCommand {
  const given = (typeof value === 'object' && value !== null ? value : {}) as JsonObject;
  const kind = String(given['kind']);
  const fields = Object.hasOwn(FIELDS, kind) ? FIELDS[kind as CommandKind] : undefined;
  if (fields === undefined) throw invalid(`there is no command '${kind}'`);
  const all: Readonly<Record<string, Check>> = { ...fields, job: name };
  for (const [field, check] of Object.entries(all))
    if (!check(given[field])) throw invalid(`'${field}' of ${kind} is ${JSON.stringify(given[field])}`);
  for (const field of Object.keys(given))
    if (field !== 'kind' && !Object.hasOwn(all, field)) throw invalid(`${kind} has no field '${field}'`);
  return given as unknown as JobCommand;
}

function invalid(why: string): MillraceError {
  return new MillraceError(
    'MR_API_INVALID',
    `A command cannot be carried out: ${why}. Correct it and send it again.`,
  );
}
