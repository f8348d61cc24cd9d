package millrace.bench;

import java.math.BigDecimal;
import java.math.RoundingMode;

/** Number.prototype.toFixed(6): the exact value of the double, ties away from zero, and the sign of what rounds to zero. */
final class SixDecimals {
  private SixDecimals() {}

  static String of(double value) {
    String text = new BigDecimal(Math.abs(value)).setScale(6, RoundingMode.HALF_UP).toPlainString();
    return value < 0 ? "-" + text : text;
  }
}
