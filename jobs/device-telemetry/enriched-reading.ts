import { bool, eventTime, f64, type Infer, nullable, schema, string } from '#wire';

/** A reading with what the device registry knows of its device: a row of the lake table `curated.readings`. */
export const EnrichedReading = schema('enriched-reading', {
  ts: eventTime(1),
  tenant: string(2),
  deviceId: string(3),
  site: string(4),
  temperature: nullable(f64(5)),
  vibration: nullable(f64(6)),
  rpm: nullable(f64(7)),
  voltage: nullable(f64(8)),
  status: string(9),
  firmware: string(10),
  /** Null for a device that nobody has registered. */
  model: nullable(string(11)),
  location: nullable(string(12)),
  /** Warmer than its model should be. */
  hot: bool(13),
});
export type EnrichedReading = Infer<typeof EnrichedReading>;
