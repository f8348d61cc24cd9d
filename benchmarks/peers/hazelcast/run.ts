import { classPath, mavenBuild } from '../maven.ts';
import type { Peer, Skipped } from '../peer.ts';
import { measuredRun } from '../program.ts';

/** README.md says why. */
const JVM_FLAGS = [
  '-Xms4g',
  '-Xmx4g',
  '-XX:+AlwaysPreTouch',
  '-XX:+UseParallelGC',
  '-XX:ParallelGCThreads=2',
  '--add-modules=java.se',
  '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
  '--add-opens=java.base/java.lang=ALL-UNNAMED',
  '--add-opens=java.base/sun.nio.ch=ALL-UNNAMED',
  '--add-opens=java.management/sun.management=ALL-UNNAMED',
  '--add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED',
];

/** Builds the peer with Maven, or says what is missing. */
export async function hazelcastPeer(): Promise<Peer | Skipped> {
  const folder = import.meta.dirname;
  const sources = ['pom.xml', 'src/**/*.java', '../flink/src/**/*.java'];
  const skipped = await mavenBuild('Hazelcast', folder, sources);
  const command = ['java', ...JVM_FLAGS, '-cp', classPath(folder), 'millrace.bench.JetMain'] as const;
  return skipped ?? { run: (workload, file) => measuredRun([...command], workload, file) };
}
