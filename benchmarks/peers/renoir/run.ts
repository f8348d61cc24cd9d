import { join } from 'node:path';
import type { Peer, Skipped } from '../peer.ts';
import { build, measuredRun, outputOf, PEERS_FOLDER } from '../program.ts';

/** Builds the peer with Cargo, or says what is missing. */
export async function renoirPeer(): Promise<Peer | Skipped> {
  if ((await outputOf('cargo', ['--version'])) === null)
    return { skip: 'Cargo is not installed: the Renoir peer is built with it.' };
  const target = join(PEERS_FOLDER, 'renoir');
  const manifest = join(import.meta.dirname, 'Cargo.toml');
  try {
    // One job: whatever else runs beside it is not to notice.
    await build(['cargo', 'build', '-q', '-j1', '--release', '--manifest-path', manifest], {
      CARGO_TARGET_DIR: target,
      RUSTFLAGS: '-C target-cpu=native',
    });
  } catch (error) {
    return { skip: `The Renoir peer could not be built: ${(error as Error).message}` };
  }
  const program = join(target, 'release', 'renoir-peer');
  return { run: (workload, file) => measuredRun([program], workload, file) };
}
