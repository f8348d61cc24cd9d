/** The first line in which they differ, or null. */
export function firstDifference(lines: readonly string[], expected: readonly string[]): string | null {
  const count = Math.max(lines.length, expected.length);
  for (let i = 0; i < count; i++)
    if (lines[i] !== expected[i]) return `line ${i} of ${lines.length}: ${lines[i]}, expected ${expected[i]}`;
  return null;
}
