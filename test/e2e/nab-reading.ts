import { eventTime, f64, type Infer, schema, string } from '#wire';

/** One value of one series of the Numenta Anomaly Benchmark. */
export const NabReading = schema('nab', { ts: eventTime(1), series: string(2), value: f64(3) });
export type NabReading = Infer<typeof NabReading>;
