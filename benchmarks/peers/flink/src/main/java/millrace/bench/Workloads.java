package millrace.bench;

import java.util.Map;
import java.util.function.Consumer;

/** The jobs by the names that the command line knows them by. */
final class Workloads {
  static final Map<String, Consumer<Pipeline>> BY_NAME =
      Map.ofEntries(
          Map.entry("t1", T1::define),
          Map.entry("t1-drain", T1::define),
          Map.entry("t1-json", T1::defineJson),
          Map.entry("q0", BidQueries::q0),
          Map.entry("q1", BidQueries::q1),
          Map.entry("q2", BidQueries::q2),
          Map.entry("q3", LocalItems::define),
          Map.entry("q4", ClosingPrices::define),
          Map.entry("q5", HotItems::define),
          Map.entry("q6", WonAuctions::q6),
          Map.entry("q7", HighestBid::define),
          Map.entry("q8", NewSellers::define),
          Map.entry("q9", WonAuctions::q9),
          Map.entry("q11", BiddingSessions::define),
          Map.entry("q12", BiddingSessions::defineTumbling),
          Map.entry("q13", FullBidQueries::q13),
          Map.entry("q14", FullBidQueries::q14),
          Map.entry("q15", DistinctStatistics::q15),
          Map.entry("q16", DistinctStatistics::q16),
          Map.entry("q17", AuctionStatistics::define),
          Map.entry("q18", LastBids::define),
          Map.entry("q19", TopBids::define),
          Map.entry("q20", ItemBids::define),
          Map.entry("q21", FullBidQueries::q21),
          Map.entry("q22", FullBidQueries::q22),
          Map.entry("edges", Edges::define));

  private Workloads() {}
}
