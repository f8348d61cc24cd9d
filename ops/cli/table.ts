/** Rows below a head, in columns as wide as they need to be; numbers stand to the right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
): string {
  const texts = rows.map((row) => row.map((cell) => (cell === null ? '–' : String(cell))));
  const widths = head.map((title, i) => Math.max(title.length, ...texts.map((row) => row[i]?.length ?? 0)));
  const isNumber = head.map((_, i) => rows.every((row) => typeof row[i] === 'number' || row[i] === null));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (isNumber[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [head, ...texts].map((cells) => `${line(cells)}\n`).join('');
}

/** `1.2 s`, `3 min`, `5 h`, `2 d` */
export function durationOf(ms: number): string {
  for (const [unit, name] of UNITS) if (ms >= unit * 2) return `${Math.round(ms / unit)} ${name}`;
  return `${(ms / 1_000).toFixed(1)} s`;
}

const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
] as const;

/** `1.2 MB` */
export function bytesOf(bytes: number): string {
  for (const [unit, name] of SIZES) if (bytes >= unit) return `${(bytes / unit).toFixed(1)} ${name}`;
  return `${bytes} B`;
}

const SIZES = [
  [1e9, 'GB'],
  [1e6, 'MB'],
  [1e3, 'kB'],
] as const;
