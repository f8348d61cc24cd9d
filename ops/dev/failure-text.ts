import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorCode, errorText, MillraceError } from '#engine';

/**
 * An error for whoever writes the job: its code and message, where the source was, and the places in the job's own files that it
 * came from.
 * @param files of the job
 */
export function failureText(error: unknown, files: ReadonlySet<string>): string {
  const code = errorCode(error);
  const text = code === null ? thrownText(error) : `${code}: ${errorText(error)}`;
  return [`${text}${offsetText(error)}`, ...ownFrames(error, files)].join('\n');
}

/** What Node says before the stack: a syntax error shows the line that has it. */
function thrownText(error: unknown): string {
  if (!(error instanceof Error) || error.stack === undefined) return errorText(error);
  return error.stack.split(/\n {4}at /)[0]?.trimEnd() ?? '';
}

function offsetText(error: unknown): string {
  const { topic, partition, offset } = error instanceof MillraceError ? error.details : {};
  return topic === undefined || topic === null
    ? ''
    : ` (${[topic, partition].join('/')}, offset ${String(offset)})`;
}

/** Of the innermost cause: what the job's own code has thrown. */
function ownFrames(error: unknown, files: ReadonlySet<string>): readonly string[] {
  if (!(error instanceof Error)) return [];
  const inner = error.cause === undefined ? [] : ownFrames(error.cause, files);
  if (inner.length > 0) return inner;
  const places = [...(error.stack ?? '').matchAll(/(file:\/\/[^\s()]+?)(:\d+:\d+)\)?$/gm)];
  return places
    .map(([, url = '', position = '']) => ({ path: fileURLToPath(url), position }))
    .filter(({ path }) => files.has(path))
    .slice(0, FRAMES_MAX)
    .map(({ path, position }) => `    at ${relative(process.cwd(), path)}${position}`);
}

const FRAMES_MAX = 3;
