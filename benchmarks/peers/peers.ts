import { bytewaxPeer } from './bytewax/run.ts';
import { hazelcastPeer } from './hazelcast/run.ts';
import { kafkaPeer } from './kafka/run.ts';
import type { Peer, Skipped } from './peer.ts';
import { renoirPeer } from './renoir/run.ts';

/** A peer by its name, and the workloads that there is a program for. */
export interface PeerEntry {
  readonly open: () => Promise<Peer | Skipped>;
  readonly workloads: readonly string[];
}

/** The peers beside Flink, which has a form of its own with more options. */
export const PEERS: Readonly<Record<string, PeerEntry>> = {
  renoir: { open: renoirPeer, workloads: ['t1', 'q1', 'q5', 'q7'] },
  bytewax: { open: bytewaxPeer, workloads: ['t1'] },
  hazelcast: { open: hazelcastPeer, workloads: ['t1', 'q1', 'q5', 'q7'] },
  kafka: { open: () => kafkaPeer('ordinary'), workloads: ['t1-drain'] },
  'kafka-best': { open: () => kafkaPeer('best'), workloads: ['t1-drain'] },
};
