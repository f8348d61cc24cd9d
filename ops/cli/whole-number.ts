import { MillraceError } from '#engine';

/** A whole number as somebody wrote it. @throws MR_CONFIG_INVALID */
export function wholeNumber(text: string, what: string, min: number, max: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `${what} must be a whole number from ${min} to ${max}, not '${text}'.`,
  );
}
