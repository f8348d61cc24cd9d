import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, parse, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build as esbuild, type BuildFailure, type Metafile, type Plugin } from 'esbuild';
import { MILLRACE_MODULES, MillraceError } from '#engine';
import { sha256 } from './bundle-files.ts';

/** A job's code in one file. */
export interface JobBundle {
  /** An ES module with the job as its default export; it imports Millrace and Node's own modules, nothing else. */
  readonly code: Uint8Array;
  /** SHA-256 of the code, in hex. */
  readonly hash: string;
}

/**
 * Puts a job's module and all that it imports into one file; the same sources give the same bytes, wherever they lie.
 * @throws MR_CONFIG_INVALID when it cannot be bundled: what is wrong, and in which file
 */
export async function bundleJob(entryFile: string): Promise<JobBundle> {
  const entry = resolve(entryFile);
  if (!existsSync(entry)) throw unusable(entryFile, 'there is no such file');
  const path = realpathSync(entry);
  const root = packageRoot(path);
  const { code, metafile } = await runEsbuild(path, root, entryFile);
  const native = nativePackage(Object.keys(metafile.inputs), root);
  if (native !== null) throw unusable(entryFile, nativeRefusal(native));
  return { code, hash: sha256(code) };
}

async function runEsbuild(
  path: string,
  root: string,
  entryFile: string,
): Promise<{ readonly code: Uint8Array; readonly metafile: Metafile }> {
  try {
    const { outputFiles, metafile } = await esbuild({
      entryPoints: [path],
      absWorkingDir: root, // paths in comments and in the source map are relative to it
      outfile: join(root, 'bundle.mjs'),
      write: false,
      metafile: true,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node24',
      charset: 'utf8',
      tsconfigRaw: {}, // what lies around the sources has no say
      legalComments: 'none',
      sourcemap: 'inline',
      logLevel: 'silent',
      banner: { js: REQUIRE },
      plugins: [ownModules, nativeModules],
    });
    const file = outputFiles[0];
    if (file === undefined) throw unusable(entryFile, 'it has no output');
    return { code: file.contents, metafile };
  } catch (error) {
    const failures = (error as Partial<BuildFailure>).errors;
    if (failures === undefined) throw error;
    const texts = failures.slice(0, FAULTS_SHOWN).map(({ text, location }) => {
      return location === null ? text : `${text} (${location.file}:${location.line})`;
    });
    throw unusable(entryFile, texts.join('; '));
  }
}

/** Modules of the CommonJS kind ask for Node's own modules by it. */
const REQUIRE =
  "import { createRequire as millraceCreateRequire } from 'node:module'; const require = millraceCreateRequire(import.meta.url);";
const FAULTS_SHOWN = 5;

/** Folder of Millrace itself. */
const MILLRACE = realpathSync(fileURLToPath(new URL('../..', import.meta.url)));
/** What a job may have of it by other names than {@link MILLRACE_MODULES} would be a second copy, with state of its own. */
const MILLRACE_PARTS = ['engine', 'operators', 'sinks', 'ops', 'edge-forwarder'];

/** Leaves Millrace's modules to the worker. Other packages may have `#…` imports of their own. */
const ownModules: Plugin = {
  name: 'millrace-modules',
  setup(build) {
    build.onResolve({ filter: /^(millrace($|\/)|#)/ }, ({ path, importer }) => {
      const ours = path.startsWith('#') ? isWithin(importer, MILLRACE) : true;
      if (!ours) return undefined;
      if ((MILLRACE_MODULES as readonly string[]).includes(path)) return { path, external: true };
      return {
        errors: [{ text: `'${path}' is no module of Millrace; there are ${MILLRACE_MODULES.join(', ')}` }],
      };
    });
    build.onLoad({ filter: /.*/ }, ({ path }) => {
      const part = isWithin(path, MILLRACE) ? relative(MILLRACE, path).split(sep)[0] : undefined;
      if (part === undefined || !MILLRACE_PARTS.includes(part)) return undefined;
      const text = `it imports Millrace's own file ${relative(MILLRACE, path)}; import 'millrace' instead`;
      return { errors: [{ text }] };
    });
  },
};

/** Loaders of compiled code find it at run time, on the disk of who has installed it. */
const nativeModules: Plugin = {
  name: 'native-modules',
  setup(build) {
    const filter = /(\.node$)|(^(bindings|node-gyp-build|prebuild-install|@mapbox\/node-pre-gyp)$)/;
    build.onResolve({ filter }, ({ path, importer }) => ({
      errors: [{ text: nativeRefusal(`${path}, imported by ${relative(packageRoot(importer), importer)},`) }],
    }));
  },
};

/** A package with compiled code of its own among the bundled files, or null. */
function nativePackage(inputs: readonly string[], root: string): string | null {
  const folders = new Set(
    inputs
      .filter((input) => input.includes('node_modules/'))
      .map((input) => packageRoot(resolve(root, input))),
  );
  for (const folder of folders) {
    const facts = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
    if (existsSync(join(folder, 'binding.gyp')) || facts['gypfile'] === true || facts['binary'] !== undefined)
      return `the package ${String(facts['name'])}`;
  }
  return null;
}

/** The nearest folder with a package.json, or the file's own. */
function packageRoot(file: string): string {
  const { root } = parse(file);
  for (let folder = dirname(file); folder !== root; folder = dirname(folder))
    if (existsSync(join(folder, 'package.json'))) return folder;
  return dirname(file);
}

function isWithin(path: string, folder: string): boolean {
  return (
    path.startsWith(`${folder}${sep}`) && !path.slice(folder.length).includes(`${sep}node_modules${sep}`)
  );
}

function nativeRefusal(what: string): string {
  return `${what} is compiled code, which one file cannot carry: use a package in plain JavaScript, or reach it as a service`;
}

function unusable(file: string, why: string): MillraceError {
  return new MillraceError('MR_CONFIG_INVALID', `The job module ${file} cannot be bundled: ${why}.`);
}
