package millrace.bench;

import java.util.HashMap;
import java.util.Map;

/** Counts rows and sums their hashes; rows that are taken back count against those they were. Keeps lines where these are wanted. */
final class Checksum<T extends ResultRow> implements ResultSink.Tally<T> {
  /** How often each line is there; null when nobody wants the lines. */
  final Map<String, Integer> lines;

  long rows = 0;
  int sum = 0;

  Checksum(boolean withLines) {
    lines = withLines ? new HashMap<>() : null;
  }

  @Override
  public void add(T row) {
    int sign = row.sign();
    rows += sign;
    sum += sign * row.hash();
    if (lines != null) lines.merge(row.line(), sign, Integer::sum);
  }
}
