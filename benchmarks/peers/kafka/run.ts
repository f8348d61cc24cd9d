import { classPath, mavenBuild } from '../maven.ts';
import type { Peer, Skipped } from '../peer.ts';
import { measuredRun } from '../program.ts';
import { withBroker } from './broker.ts';

/** README.md says why. */
const JVM_FLAGS = [
  '-Xms4g',
  '-Xmx4g',
  '-XX:+AlwaysPreTouch',
  '-XX:+UseParallelGC',
  '-XX:ParallelGCThreads=2',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
];

/**
 * Builds the peer with Maven, or says what is missing.
 *
 * @param form as its users write it, or chosen by hand; README.md says what differs
 */
export async function kafkaPeer(form: 'ordinary' | 'best'): Promise<Peer | Skipped> {
  const folder = import.meta.dirname;
  const sources = ['pom.xml', 'src/**/*.java', '../flink/src/**/*.java'];
  const skipped = await mavenBuild('Kafka Streams', folder, sources);
  const command = ['java', ...JVM_FLAGS, '-cp', classPath(folder), 'millrace.bench.KafkaMain'] as const;
  return (
    skipped ?? {
      run: (workload, file, warmUpMs) =>
        withBroker((broker) => {
          const place = [broker.address, broker.pid, broker.folder, warmUpMs, form].map(String);
          return measuredRun([...command, ...place], workload, file, { signal: broker.signal });
        }),
    }
  );
}
