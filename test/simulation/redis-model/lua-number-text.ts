/** A double as C's `%.<precision>g` writes it: Lua 5.1 uses 14 digits, Redis 7.0 uses 17 for scores and numbers passed by scripts. */
export function numberText(value: number, precision: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 10 ** Math.min(precision, 15) && !Object.is(value, -0))
    return String(value);
  if (Number.isNaN(value)) return '-nan'; // as x86-64 signs the result of 0/0
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return '-0';
  const rounded = evenTie(value, precision);
  const [digits, exponentText] = rounded.toExponential(precision - 1).split('e') as [string, string];
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < precision) return withoutTrailingZeros(rounded.toPrecision(precision));
  const sign = exponent < 0 ? '-' : '+';
  return `${withoutTrailingZeros(digits)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function withoutTrailingZeros(digits: string): string {
  return digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
}

/** A value that lies between two texts goes to the even one in C and to the larger one here: it is moved off the middle. */
function evenTie(value: number, precision: number): number {
  const exact = value.toExponential(Math.min(100, precision + 30));
  const digits = exact.slice(0, exact.indexOf('e')).replace(/[-.]/g, '');
  if (!/^50*$/.test(digits.slice(precision)) || !/[02468]/.test(digits[precision - 1] ?? '')) return value;
  return Number(
    `${value < 0 ? '-' : ''}${digits.slice(0, precision)}e${Number(exact.slice(exact.indexOf('e') + 1)) - precision + 1}`,
  );
}
