import { existsSync, globSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Skipped } from './peer.ts';
import { build, outputOf } from './program.ts';

const JAVA_MIN = 17;

/**
 * Packages a peer in Java, or says what is missing.
 *
 * @param folder with its `pom.xml`; the classes go to `target/classes`, what they need to `target/lib`
 * @param sources patterns for all files that the build reads, from that folder
 */
export async function mavenBuild(
  name: string,
  folder: string,
  sources: readonly string[],
): Promise<Skipped | null> {
  const java = await outputOf('java', ['-version']);
  if (java === null) return { skip: `Java is not installed: the ${name} peer needs ${JAVA_MIN} or newer.` };
  const version = Number(/version "(\d+)/.exec(java)?.[1] ?? 0);
  if (version < JAVA_MIN)
    return { skip: `The ${name} peer needs Java ${JAVA_MIN} or newer, found ${version}.` };
  if ((await outputOf('mvn', ['-version'])) === null)
    return { skip: `Maven is not installed: the ${name} peer is built with it.` };
  try {
    if (!isBuilt(folder, sources)) await packaged(folder);
  } catch (error) {
    return { skip: `The ${name} peer could not be built: ${(error as Error).message}` };
  }
  return null;
}

/** `-cp` of a peer that is built. */
export function classPath(folder: string): string {
  const target = join(folder, 'target');
  return `${join(target, 'classes')}:${join(target, 'lib', '*')}`;
}

/** Whether the last build has seen all sources as they are. */
function isBuilt(folder: string, sources: readonly string[]): boolean {
  const jar = globSync('target/*-peer.jar', { cwd: folder })[0];
  if (jar === undefined || !existsSync(join(folder, 'target', 'lib'))) return false;
  const newest = globSync(sources, { cwd: folder }).map((file) => statSync(join(folder, file)).mtimeMs);
  return Math.max(...newest) <= statSync(join(folder, jar)).mtimeMs;
}

/** Without the network where everything is there already. */
async function packaged(folder: string): Promise<void> {
  const maven = (...flags: readonly string[]) =>
    build(['mvn', '-q', '-B', '-T1', '-f', join(folder, 'pom.xml'), ...flags, 'package']);
  try {
    await maven('-o');
  } catch {
    await maven();
  }
}
