let sourceCount = 0;

/**
 * Compiles the body of a function over named parameters, or gives null where the process forbids code generation
 * (`--disallow-code-generation-from-strings`, hardened hosts); the caller then interprets.
 *
 * Each result carries a unique `sourceURL`: V8 keys call feedback by source text, so two schemas whose generated bodies
 * read alike would otherwise share one polymorphic function. It also names the source in profiles and stack traces.
 * @param name shown in the source's URL, such as `row-reader/reading`
 */
export function generate<T>(
  name: string,
  parameters: Readonly<Record<string, unknown>>,
  body: string,
): T | null {
  const names = Object.keys(parameters);
  const url = `${name.replaceAll(/[^\w/.-]/g, '_')}.${sourceCount++}`;
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- the body is ours, with names quoted; see above
    const make = new Function(...names, `'use strict';\n${body}\n//# sourceURL=millrace/${url}`);
    return make(...names.map((parameter) => parameters[parameter])) as T;
  } catch (error) {
    if (error instanceof EvalError) return null;
    throw error;
  }
}

/** How a reader or builder comes about: `auto` generates where allowed; `never` interprets, with the same behaviour. */
export interface GenerationOptions {
  readonly codeGeneration?: 'auto' | 'never';
}
