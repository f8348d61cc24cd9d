package millrace.bench;

import java.io.Serializable;

/** A bid of Nexmark, as far as the queries read it. */
record JetBid(int auction, int bidder, int price, long at) implements Serializable {
  static final class All extends JetRecords<JetBid> {
    private final FrameDecoder.Column kind = decoder.column("kind");
    private final FrameDecoder.Column at = decoder.column("at");
    private final FrameDecoder.Column auction = decoder.column("auction");
    private final FrameDecoder.Column bidder = decoder.column("bidder");
    private final FrameDecoder.Column price = decoder.column("price");

    All() {
      super(new FrameDecoder(NexmarkEvent.SCHEMA, "at", "kind", "auction", "bidder", "price"));
    }

    @Override
    JetBid record(int i) {
      if (kind.ints[i] != NexmarkEvent.BID) return null;
      return new JetBid(auction.ints[i], bidder.ints[i], price.ints[i], at.times[i]);
    }

    @Override
    long timeOf(JetBid bid) {
      return bid.at;
    }
  }
}
