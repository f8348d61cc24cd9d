import { avg, count, defineJob, type JobDefinition, max, min, p99, partitionLog, tumbling } from '#operators';
import { timeSeries } from '#sinks';
import { Reading } from '../../jobs/device-telemetry/reading.ts';

/** The windows and the live series of the device telemetry job, without registry and lake. */
export default function windowsJob(): JobDefinition {
  return defineJob('device-telemetry', { guarantee: 'exactly-once' }, (job) => {
    const telemetry = partitionLog('telemetry', Reading, { partitionBy: ['tenant', 'deviceId'] });
    const perDevice = job
      .source('readings', telemetry, { outOfOrderness: '2s', idleAfter: '5s' })
      .filter((reading) => reading.status !== 'maintenance')
      .keyBy('tenant', 'deviceId')
      .window(tumbling('10s'))
      .allowedLateness('5s')
      .aggregate('per-device', {
        n: count(),
        temp: avg('temperature'),
        cold: min('temperature'),
        hot: max('temperature'),
        vib: p99('vibration'),
        rpm: max('rpm'),
      });
    perDevice.to('live', timeSeries('device_10s'), { accept: 'idempotent' });
    perDevice.side.late.to(
      'late',
      partitionLog('telemetry-late', Reading, { partitionBy: ['tenant', 'deviceId'] }),
    );
  });
}
