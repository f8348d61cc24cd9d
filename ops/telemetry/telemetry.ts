import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import type { Clock } from '../../engine/base/clock.ts';
import { MillraceError } from '../../engine/base/errors.ts';
import type { JobHandle } from '../../engine/coordinator/job-status.ts';
import { JobMetricProducer } from './job-metric-producer.ts';

/** Metrics of this process through OpenTelemetry, in Prometheus' text form. */
export interface Telemetry {
  /** One reading, text format 0.0.4. @throws MR_INVARIANT when the registry could not be read */
  readonly metricsText: () => Promise<string>;
  readonly stop: () => Promise<void>;
}

/**
 * Starts the OpenTelemetry SDK with the Prometheus exporter as its reader. The exporter's own server stays off: the
 * admin API serves the text. Traces and logs are off, so nothing is sent anywhere.
 */
export function startTelemetry(jobs: () => readonly JobHandle[], clock: Clock): Telemetry {
  const resource = resourceFromAttributes({ 'service.name': 'millrace' });
  const producer = new JobMetricProducer(jobs, clock, resource);
  const exporter = new PrometheusExporter({ preventServerStart: true, metricProducers: [producer] });
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  const sdk = new NodeSDK({
    resource,
    autoDetectResources: false,
    metricReaders: [exporter],
    spanProcessors: [],
    logRecordProcessors: [],
    instrumentations: [],
  });
  sdk.start();
  return {
    async metricsText() {
      const { resourceMetrics, errors } = await exporter.collect();
      if (errors.length > 0) {
        throw new MillraceError(
          'MR_INVARIANT',
          `Metrics could not be read: ${errors.map(String).join('; ')}.`,
        );
      }
      return serializer.serialize(resourceMetrics);
    },
    async stop() {
      producer.close();
      await sdk.shutdown();
    },
  };
}
