package millrace.bench;

import java.io.IOException;
import org.apache.flink.api.common.functions.FilterFunction;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.streaming.api.datastream.DataStream;

/** The queries without state: q0 passes bids through, q1 converts their prices, q2 selects some. */
final class BidQueries {
  private BidQueries() {}

  static void q0(Pipeline pipeline) {
    pipeline.sink(bids(pipeline));
  }

  static void q1(Pipeline pipeline) {
    pipeline.sink(bids(pipeline).map(new Conversion()).returns(FlatType.forClass(ConvertedBid.class)));
  }

  static void q2(Pipeline pipeline) {
    DataStream<Bid> selected = bids(pipeline).filter(new Selection());
    pipeline.sink(selected.map(new Price()).returns(FlatType.forClass(AuctionPrice.class)));
  }

  private static DataStream<Bid> bids(Pipeline pipeline) {
    return pipeline.spread(new Bid.All(), Bid.class);
  }

  private static final class Conversion implements MapFunction<Bid, ConvertedBid> {
    private static final long serialVersionUID = 1;
    private static final double RATE = 0.908;

    private final ConvertedBid reused = new ConvertedBid();

    @Override
    public ConvertedBid map(Bid bid) {
      reused.auction = bid.auction;
      reused.bidder = bid.bidder;
      reused.price = bid.price * RATE;
      reused.at = bid.at;
      return reused;
    }
  }

  private static final class Selection implements FilterFunction<Bid> {
    private static final long serialVersionUID = 1;

    @Override
    public boolean filter(Bid bid) {
      return bid.auction % 123 == 0;
    }
  }

  private static final class Price implements MapFunction<Bid, AuctionPrice> {
    private static final long serialVersionUID = 1;

    @Override
    public AuctionPrice map(Bid bid) {
      AuctionPrice row = new AuctionPrice();
      row.auction = bid.auction;
      row.price = bid.price;
      return row;
    }
  }

  /** Result of q1. */
  static final class ConvertedBid implements Flat<ConvertedBid>, ResultRow, java.io.Serializable {
    private static final long serialVersionUID = 1;

    int auction;
    int bidder;
    double price;
    long at;

    @Override
    public ConvertedBid fresh() {
      return new ConvertedBid();
    }

    @Override
    public ConvertedBid copy() {
      ConvertedBid copy = new ConvertedBid();
      copy.auction = auction;
      copy.bidder = bidder;
      copy.price = price;
      copy.at = at;
      return copy;
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      out.writeInt(auction);
      out.writeInt(bidder);
      out.writeDouble(price);
      out.writeLong(at);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      auction = in.readInt();
      bidder = in.readInt();
      price = in.readDouble();
      at = in.readLong();
    }

    @Override
    public int hash() {
      return RowHash.add(RowHash.add(RowHash.add(RowHash.add(0, auction), bidder), price), at);
    }

    @Override
    public String line() {
      return auction + "," + bidder + "," + SixDecimals.of(price) + "," + at;
    }
  }

  /** Result of q2. */
  static final class AuctionPrice implements Flat<AuctionPrice>, ResultRow {
    int auction;
    int price;

    @Override
    public AuctionPrice fresh() {
      return new AuctionPrice();
    }

    @Override
    public AuctionPrice copy() {
      return this; // nobody changes one
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      out.writeInt(auction);
      out.writeInt(price);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      auction = in.readInt();
      price = in.readInt();
    }

    @Override
    public int hash() {
      return RowHash.add(RowHash.add(0, auction), price);
    }

    @Override
    public String line() {
      return auction + "," + price;
    }
  }
}
