import type { VersusOutcome } from '../versus/outcome.ts';

/** Another engine. Every run is a process of its own that reads a file of frames, `u32 LE length, frame` repeated. */
export interface Peer {
  /**
   * @param workload t1, or a Nexmark query such as q5
   * @param file its frames
   */
  readonly run: (workload: string, file: string) => Promise<PeerOutcome>;
}

/** Times are of the whole process, from the first frame to the end of the job. */
export type PeerOutcome = Omit<VersusOutcome, 'workload' | 'engine'> & { readonly version: string };

/** Says what is missing where a peer cannot run here. */
export interface Skipped {
  readonly skip: string;
}
