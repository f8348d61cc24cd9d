import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { MILLRACE_MODULES } from '#engine';

/**
 * Paths of a module and of all that it imports from now on, packages and Millrace left out; also of files that are missing or broken, which
 * somebody is about to mend.
 */
export function importedFiles(entryUrl: string): ReadonlySet<string> {
  const urls = new Set([entryUrl]);
  const paths = new Set([fileURLToPath(entryUrl)]);
  const note = (url: string) => {
    if (!url.startsWith('file:') || url.includes('/node_modules/')) return;
    urls.add(url);
    paths.add(fileURLToPath(url));
  };
  registerHooks({
    resolve(specifier, context, next) {
      const { parentURL = '' } = context;
      const isOwn = urls.has(parentURL) && !(MILLRACE_MODULES as readonly string[]).includes(specifier);
      if (isOwn && /^\.{0,2}\//.test(specifier)) note(new URL(specifier, parentURL).href);
      const resolved = next(specifier, context);
      if (isOwn) note(resolved.url);
      return resolved;
    },
  });
  return paths;
}
