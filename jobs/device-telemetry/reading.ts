import { eventTime, f64, type Infer, nullable, schema, string } from '#wire';

/** What a device sends: one reading of its sensors. A sensor that it does not have, or that did not answer, is null. */
export const Reading = schema('reading', {
  ts: eventTime(1),
  tenant: string(2),
  deviceId: string(3),
  site: string(4),
  /** °C */
  temperature: nullable(f64(5)),
  /** mm/s, root mean square */
  vibration: nullable(f64(6)),
  rpm: nullable(f64(7)),
  /** V */
  voltage: nullable(f64(8)),
  /** `ok`, `warning`, `maintenance`, … */
  status: string(9),
  firmware: string(10),
});
export type Reading = Infer<typeof Reading>;
