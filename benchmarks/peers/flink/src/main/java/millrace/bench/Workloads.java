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
          Map.entry("q7", HighestBid::define),
          Map.entry("q8", NewSellers::define),
          Map.entry("q11", BiddingSessions::define),
          Map.entry("q18", LastBids::define));

  private Workloads() {}
}
