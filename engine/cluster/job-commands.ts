import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';

/** What a job should be. */
export interface DesiredJob {
  readonly name: string;
  /** SHA-256 of its code; null for a job that its process knows by name. */
  readonly bundle: string | null;
  /** Null: as many slots as there are. */
  readonly parallelism: number | null;
  readonly desired: DesiredState;
  /** Plain JSON. */
  readonly settings: JsonObject;
  /** Rises by one with every change. */
  readonly revision: number;
}

export type DesiredState = 'running' | 'stopped' | 'cancelled';

export type JsonObject = Readonly<Record<string, unknown>>;

/** What is to be different; what is left out stays. */
export interface JobChange {
  readonly bundle?: string | null;
  readonly parallelism?: number | null;
  readonly desired?: DesiredState;
  readonly settings?: JsonObject;
}

/** What a coordinator is asked to do once. */
export type RequestKind =
  | 'savepoint'
  | 'stop-with-savepoint'
  | 'rescale'
  | 'restart'
  | 'fork'
  | 'remove-checkpoint';

/** One request with its answer, as everybody sees it. */
export interface JobRequest {
  readonly id: string;
  readonly kind: RequestKind;
  readonly args: JsonObject;
  /** Epoch ms by the clock of who asked. */
  readonly requestedAt: number;
  readonly answer: RequestAnswer;
}

export type RequestAnswer =
  | { readonly state: 'pending' }
  | { readonly state: 'done'; readonly result: JsonObject }
  | { readonly state: 'failed'; readonly result: JsonObject };

export type SettledAnswer = Exclude<RequestAnswer, { readonly state: 'pending' }>;

/** `<state> <result as JSON>`; nothing while pending. */
export function answerText({ state, result }: SettledAnswer): string {
  return `${state} ${boundedJson(result, LIMITS.commandBytesMax, 'The answer to a request')}`;
}

export function parseAnswer(text: string | undefined): RequestAnswer {
  if (text === undefined) return { state: 'pending' };
  const space = text.indexOf(' ');
  const state = text.slice(0, space) === 'done' ? 'done' : 'failed';
  return { state, result: JSON.parse(text.slice(space + 1)) as JsonObject };
}

export function parseRequest(id: string, command: string, answer?: string): JobRequest {
  const { kind, args, requestedAt } = JSON.parse(command) as Omit<JobRequest, 'id' | 'answer'>;
  return { id, kind, args, requestedAt, answer: parseAnswer(answer) };
}

/** Fields and values of the desired hash. @throws MR_CONFIG_INVALID, MR_CONTROL_TOO_LARGE */
export function changeFields({ bundle, parallelism, desired, settings }: JobChange): string[] {
  const fields: string[] = [];
  if (bundle !== undefined) {
    if (bundle !== null && !/^[0-9a-f]{64}$/.test(bundle))
      throw unusable('bundle', bundle, 'a SHA-256 in hex');
    fields.push('bundle', bundle ?? '');
  }
  if (parallelism !== undefined) {
    if (parallelism !== null && !(Number.isSafeInteger(parallelism) && parallelism >= 1)) {
      throw unusable('parallelism', parallelism, 'a whole number from 1, or null');
    }
    fields.push('parallelism', String(parallelism ?? ''));
  }
  if (desired !== undefined) {
    if (!['running', 'stopped', 'cancelled'].includes(desired)) {
      throw unusable('desired state', desired, 'running, stopped or cancelled');
    }
    fields.push('desired', desired);
  }
  if (settings !== undefined) {
    fields.push('settings', boundedJson(settings, LIMITS.jobSettingsBytesMax, 'The settings of a job'));
  }
  return fields;
}

/** The desired hash as data; null when there is no such job. */
export function parseDesired(name: string, fields: readonly (string | null)[]): DesiredJob | null {
  const [bundle, parallelism, desired, settings, revision] = fields;
  if (revision === null || revision === undefined) return null;
  return {
    name,
    bundle: bundle || null,
    parallelism: parallelism ? Number(parallelism) : null,
    desired: (desired as DesiredState | null) ?? 'running',
    settings: settings ? (JSON.parse(settings) as JsonObject) : {},
    revision: Number(revision),
  };
}

/** Fields of the desired hash in the order of {@link parseDesired}. */
export const DESIRED_FIELDS = ['bundle', 'parallelism', 'desired', 'settings', 'revision'] as const;

/** @throws MR_CONTROL_TOO_LARGE */
export function boundedJson(value: unknown, bytesMax: number, what: string): string {
  const text = JSON.stringify(value);
  const bytes = Buffer.byteLength(text);
  if (bytes <= bytesMax) return text;
  throw new MillraceError('MR_CONTROL_TOO_LARGE', `${what} has ${bytes} bytes; ${bytesMax} are possible.`);
}

function unusable(what: string, value: unknown, instead: string): MillraceError {
  return new MillraceError(
    'MR_CONFIG_INVALID',
    `The ${what} of a job cannot be '${String(value)}': use ${instead}.`,
  );
}
