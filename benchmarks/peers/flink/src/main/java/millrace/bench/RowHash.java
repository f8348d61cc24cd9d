package millrace.bench;

/** The hash of a row: numbers in thousandths, strings by their length, mixed by the finaliser of MurmurHash3. */
final class RowHash {
  private RowHash() {}

  static int mix(int h) {
    h ^= h >>> 16;
    h *= 0x85ebca6b;
    h ^= h >>> 13;
    h *= 0xc2b2ae35;
    return h ^ (h >>> 16);
  }

  static int add(int h, double value) {
    return addThousandths(h, Math.round(value * 1000));
  }

  static int add(int h, long value) {
    return addThousandths(h, value * 1000);
  }

  static int add(int h, String text) {
    return mix(h ^ text.length());
  }

  private static int addThousandths(int h, long n) {
    return mix(mix(h ^ (int) n) + (int) (n >>> 32));
  }
}
