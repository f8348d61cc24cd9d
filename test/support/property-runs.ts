/**
 * Runs of a property: `short` in CI; at least MILLRACE_PROPERTY_RUNS where that is set, as `npm run test:property -- --long` does.
 */
export function propertyRuns(short: number): number {
  return Math.max(short, Number(process.env['MILLRACE_PROPERTY_RUNS'] ?? 0));
}
