import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MillraceError, parseSchemaText, type Schema, schemaText } from '#wire';

/**
 * The schema that `module#export` or a JSON file names.
 * @param reference e.g. `./jobs/device-telemetry/reading.ts#Reading`, or a file with a schema's canonical text
 * @throws MR_SCHEMA_INVALID
 */
export async function loadSchema(reference: string): Promise<Schema> {
  const [path = '', name] = reference.split('#');
  try {
    if (name === undefined) return parseSchemaText(await readFile(path, 'utf8'));
    const module = (await import(pathToFileURL(resolve(path)).href)) as Readonly<Record<string, unknown>>;
    // Through its text, so that whatever the module exports is checked, and comes from our own copy of the code.
    return parseSchemaText(schemaText(module[name] as Schema));
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause;
    throw new MillraceError(
      'MR_SCHEMA_INVALID',
      `No schema could be read from '${reference}'. Give --schema <module>#<export> or a JSON file with a schema's text.`,
      { cause },
    );
  }
}
