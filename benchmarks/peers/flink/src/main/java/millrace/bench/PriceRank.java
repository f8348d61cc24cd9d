package millrace.bench;

/** By their prices bids are of ranks 1 to 3, by their times of a day. */
final class PriceRank {
  static final long DAY_MS = 86_400_000;

  private PriceRank() {}

  static int of(int price) {
    if (price < 10_000) return 1;
    return price < 1_000_000 ? 2 : 3;
  }
}
