/** Numbers for people, each with its unit unless the column or the caption names it. A figure that is not known is a dash. */
const NONE = '–';
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export function count(value) {
  return value === null || value === undefined ? NONE : whole.format(value);
}

export function amount(value, digits, unit) {
  return value === null || value === undefined ? NONE : `${value.toFixed(digits)} ${unit}`;
}

/** Ms in the unit that a person would choose. */
export function duration(ms) {
  if (ms === null || ms === undefined) return NONE;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1_000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.floor((ms % 3_600_000) / 60_000)} min`;
}

/** For ages, which would flicker with decimals. */
export function age(ms) {
  return ms < 60_000 ? `${Math.max(0, Math.floor(ms / 1_000))} s ago` : `${duration(ms)} ago`;
}

export function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let index = 0;
  let left = value;
  while (left >= 1_024 && index < units.length - 1) {
    left /= 1_024;
    index += 1;
  }
  return `${index === 0 ? left : left.toFixed(1)} ${units[index]}`;
}

export function clockTime(epochMs) {
  return new Date(epochMs).toLocaleTimeString('en-GB');
}

export function plural(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}
