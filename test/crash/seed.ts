/** Seed of the short form in the tests: of the input and of the order in which things die. Set MILLRACE_SEED to try others. */
export const SEED = Number(process.env['MILLRACE_SEED'] ?? 1);
