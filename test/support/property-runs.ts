import fc from 'fast-check';

// What fast-check calls small, its default, are scripts of ten steps, whatever length a property allows: too short for many faults.
fc.configureGlobal({ baseSize: 'medium' });

/**
 * Runs of a property: `short` in CI; at least MILLRACE_PROPERTY_RUNS where that is set, as `npm run test:property -- --long` does.
 */
export function propertyRuns(short: number): number {
  return Math.max(short, Number(process.env['MILLRACE_PROPERTY_RUNS'] ?? 0));
}
