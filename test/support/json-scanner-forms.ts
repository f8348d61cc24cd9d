import { errorText, MillraceError } from '../../engine/base/errors.ts';
import type { GenerationOptions } from '../../engine/wire/code-generation.ts';

/** Scans by generated code and by a loop that interprets the schema. */
export const FORMS: readonly Required<GenerationOptions>[] = [
  { codeGeneration: 'auto' },
  { codeGeneration: 'never' },
];

/** What a scan or the record parser said of a record; any other error is thrown on. */
export function refusalText(error: unknown): string {
  if (!(error instanceof MillraceError) || error.code !== 'MR_RECORD_INVALID') throw error;
  return errorText(error);
}
