import { MillraceError } from './errors.ts';

type Unit = 'ms' | 's' | 'm' | 'h' | 'd';
/** A length of time as people write it: `'500ms'`, `'10s'`, `'1.5h'`, `'7d'`. Checked as you type. */
export type DurationText = `${number}${Unit}`;
/** Milliseconds, or text with a unit. */
export type Duration = number | DurationText;

const UNIT_MS: Record<Unit, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Milliseconds of a duration, a whole number ≥ 0.
 * @throws MR_CONFIG_INVALID for anything else, naming `what`.
 */
export function durationMs(value: Duration, what = 'duration'): number {
  const ms = typeof value === 'number' ? value : parse(value);
  if (!Number.isSafeInteger(ms) || ms < 0) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `${what} must be like '500ms', '10s', '5m', '2h' or '1d', got '${value}'.`,
    );
  }
  return ms;
}

/** A duration that may point back: `'-5m'`. */
export type SignedDuration = Duration | `-${DurationText}`;

/** Milliseconds, negative for `'-5m'` or a negative number. @throws MR_CONFIG_INVALID naming `what` */
export function signedDurationMs(value: SignedDuration, what: string): number {
  if (typeof value === 'number') return value < 0 ? -durationMs(-value, what) : durationMs(value, what);
  // Zero has no sign.
  return value.startsWith('-')
    ? 0 - durationMs(value.slice(1) as Duration, what)
    : durationMs(value as Duration, what);
}

/** `90_000` → `'1.5m'`; the largest unit that keeps the text short. */
export function durationText(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const amount = ms / UNIT_MS[unit];
    if (amount >= 1 && Number.isInteger(amount * 10)) return `${amount}${unit}`;
  }
  return `${ms}ms`;
}

function parse(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  return match ? Number(match[1]) * UNIT_MS[match[2] as Unit] : Number.NaN;
}
