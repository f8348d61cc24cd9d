export interface TapTotals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface TapFile extends TapTotals {
  readonly name: string;
  readonly skippedTitles: readonly string[];
  /** Everything the file printed, for a report of its failures. */
  readonly lines: readonly string[];
}

export function createTapSummary(): {
  /** Takes one line without its end; answers the file that this line ended, else null. */
  readonly push: (line: string) => TapFile | null;
  readonly totals: TapTotals;
};
export function summaryLine(totals: TapTotals): string;
export function mayNotSkip(file: string): boolean;
