import type { VersusOutcome } from '../versus/outcome.ts';

/** Another engine. Every run is a process of its own that reads a file of frames, `u32 LE length, frame` repeated. */
export interface Peer {
  /**
   * @param workload t1, t1-drain, or a Nexmark query such as q5
   * @param file its frames
   * @param warmUpMs CPU time of runs before, for peers that can be told
   */
  readonly run: (workload: string, file: string, warmUpMs: number) => Promise<PeerOutcome>;
}

/** Times are of the whole process, from the first frame to the end of the job. */
export type PeerOutcome = Omit<VersusOutcome, 'workload' | 'engine'> & { readonly version: string };

/** Says what is missing where a peer cannot run here. */
export interface Skipped {
  readonly skip: string;
}
