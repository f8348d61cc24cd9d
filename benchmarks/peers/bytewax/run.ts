import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Peer, Skipped } from '../peer.ts';
import { build, measuredRun, outputOf, PEERS_FOLDER } from '../program.ts';

const HOME = join(PEERS_FOLDER, 'bytewax');
const PYTHON = join(HOME, 'bin', 'python');

/** Installs Bytewax into a virtual environment of its own, or says what is missing. */
export async function bytewaxPeer(): Promise<Peer | Skipped> {
  if ((await outputOf('python3', ['--version'])) === null)
    return { skip: 'Python is not installed: the Bytewax peer needs it.' };
  try {
    await install(join(import.meta.dirname, 'requirements.txt'));
  } catch (error) {
    return { skip: `The Bytewax peer could not be installed: ${(error as Error).message}` };
  }
  const command = [PYTHON, '-B', join(import.meta.dirname, 't1.py')] as const;
  return { run: (workload, file) => measuredRun([...command], workload, file) };
}

/** Wheels only: nobody wants to build the engine from source, which takes longer than all runs. */
async function install(requirements: string): Promise<void> {
  const wanted = readFileSync(requirements, 'utf8');
  const installed = join(HOME, 'requirements.txt');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === wanted) return;
  await build(['python3', '-m', 'venv', HOME]);
  await build([PYTHON, '-m', 'pip', 'install', '-q', '--only-binary', ':all:', '-r', requirements]);
  writeFileSync(installed, wanted);
}
