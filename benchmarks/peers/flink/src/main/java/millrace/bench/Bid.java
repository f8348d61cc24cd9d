package millrace.bench;

import java.io.IOException;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** A bid, as far as any of the queries reads it; as a result: auction, bidder, price, at. */
final class Bid implements Flat<Bid>, ResultRow {
  int auction;
  int bidder;
  int price;
  long at;

  @Override
  public Bid fresh() {
    return new Bid();
  }

  @Override
  public Bid copy() {
    Bid copy = new Bid();
    copy.set(this);
    return copy;
  }

  void set(Bid other) {
    auction = other.auction;
    bidder = other.bidder;
    price = other.price;
    at = other.at;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    out.writeInt(auction);
    out.writeInt(bidder);
    out.writeInt(price);
    out.writeLong(at);
  }

  @Override
  public void read(DataInputView in) throws IOException {
    auction = in.readInt();
    bidder = in.readInt();
    price = in.readInt();
    at = in.readLong();
  }

  @Override
  public int hash() {
    return RowHash.add(RowHash.add(RowHash.add(RowHash.add(0, auction), bidder), price), at);
  }

  @Override
  public String line() {
    return auction + "," + bidder + "," + price + "," + at;
  }

  /** The bids of a frame. */
  static final class All implements Emitter<Bid> {
    private static final long serialVersionUID = 1;

    private transient FrameDecoder.Column kind;
    private transient FrameDecoder.Column at;
    private transient FrameDecoder.Column auction;
    private transient FrameDecoder.Column bidder;
    private transient FrameDecoder.Column price;
    private transient Bid bid;

    @Override
    public FrameDecoder open() {
      FrameDecoder decoder = new FrameDecoder(NexmarkEvent.SCHEMA, "at", "kind", "auction", "bidder", "price");
      kind = decoder.column("kind");
      at = decoder.column("at");
      auction = decoder.column("auction");
      bidder = decoder.column("bidder");
      price = decoder.column("price");
      bid = new Bid();
      return decoder;
    }

    @Override
    public void emit(int records, SourceOutput<Bid> output) {
      for (int i = 0; i < records; i++) {
        if (kind.ints[i] != NexmarkEvent.BID) continue;
        bid.auction = auction.ints[i];
        bid.bidder = bidder.ints[i];
        bid.price = price.ints[i];
        bid.at = at.times[i];
        output.collect(bid, bid.at);
      }
    }
  }
}
