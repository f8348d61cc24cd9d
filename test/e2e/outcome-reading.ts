import { eventTime, f64, type Infer, nullable, schema, string } from '#wire';

/** What the outcome tests send. `site` may be missing, so that a record can be without a key. */
export const Reading = schema('outcome-reading', {
  ts: eventTime(1),
  device: string(2),
  site: nullable(string(3)),
  value: f64(4),
});
export type Reading = Infer<typeof Reading>;

/** Reading `i`: a second apart, ten devices in turn, its number as value. */
export function reading(i: number): Reading {
  return { ts: i * 1_000, device: `dev-${i % 10}`, site: 'hall', value: i };
}

export function readings(from: number, to: number): readonly Reading[] {
  return Array.from({ length: to - from }, (_, i) => reading(from + i));
}
