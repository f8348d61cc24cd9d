import { join } from 'node:path';
import { systemClock, systemRandom } from '#wire';
import { FleetReading } from '../../edge-forwarder/fleet.ts';
import { Forwarder } from '../../edge-forwarder/forwarder.ts';
import { httpInput } from './http-input.ts';
import { answerLooks, placeOf } from './look.ts';
import { NAMESPACE, PARTITIONED_BY, TOPIC } from './topic.ts';

/** A forwarder as the command line starts it, with its defaults, that takes its rows over HTTP. */
const { url, dir } = placeOf(process.argv);
const GIB = 1024 ** 3;
const forwarder = new Forwarder({
  redisUrl: url,
  namespace: NAMESPACE,
  topic: TOPIC,
  producer: 'bench',
  schema: FleetReading,
  key: PARTITIONED_BY,
  outbox: {
    directory: join(dir, 'outbox'),
    bytesMax: GIB,
    whenFull: 'block',
    graceMs: 300_000,
    graceBytesMax: GIB / 4,
  },
  profile: 'balanced',
  frameRecords: 1_000,
  frameBytes: 65_536,
  compression: 'zstd',
  rejectsBytesMax: 16 * 1_048_576,
  clock: systemClock,
  random: systemRandom,
  onAlarm: (alarm) => process.stderr.write(`alarm: ${alarm}\n`),
});

/** What was taken, once the log has all of it. */
async function look() {
  while (forwarder.stats.delivered < forwarder.stats.accepted) await systemClock.sleep(10);
  const { accepted, rejected } = forwarder.stats;
  return { accepted, rejected };
}

const stop = new AbortController();
const input = httpInput(FleetReading, (port) => {
  void answerLooks(port, look).then(() => stop.abort());
});
await forwarder.run(input, stop.signal, false);
