package millrace.bench;

import java.io.IOException;
import java.util.stream.Stream;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** An auction that was opened, or a bid in one: one stream with one key, so that the join needs one input. Details only where asked for. */
final class AuctionOrBid implements Flat<AuctionOrBid> {
  private static final int BID = 1;
  private static final int DETAILS = 2;

  boolean isBid;
  int auction;
  long at;
  int price;
  int expiresAfter;
  int category;
  private boolean hasDetails;
  int bidder;
  int seller;
  int initialBid;
  int reserve;
  String itemName = "";

  @Override
  public AuctionOrBid fresh() {
    return new AuctionOrBid();
  }

  @Override
  public AuctionOrBid copy() {
    AuctionOrBid copy = new AuctionOrBid();
    copy.isBid = isBid;
    copy.auction = auction;
    copy.at = at;
    copy.price = price;
    copy.expiresAfter = expiresAfter;
    copy.category = category;
    copy.hasDetails = hasDetails;
    copy.bidder = bidder;
    copy.seller = seller;
    copy.initialBid = initialBid;
    copy.reserve = reserve;
    copy.itemName = itemName;
    return copy;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    out.writeByte((isBid ? BID : 0) | (hasDetails ? DETAILS : 0));
    out.writeInt(auction);
    out.writeLong(at);
    if (isBid) {
      out.writeInt(price);
    } else {
      out.writeInt(expiresAfter);
      out.writeInt(category);
    }
    if (!hasDetails) return;
    if (isBid) {
      out.writeInt(bidder);
    } else {
      out.writeInt(seller);
      out.writeInt(initialBid);
      out.writeInt(reserve);
      FlatText.write(itemName, out);
    }
  }

  @Override
  public void read(DataInputView in) throws IOException {
    byte flags = in.readByte();
    isBid = (flags & BID) != 0;
    hasDetails = (flags & DETAILS) != 0;
    auction = in.readInt();
    at = in.readLong();
    if (isBid) {
      price = in.readInt();
    } else {
      expiresAfter = in.readInt();
      category = in.readInt();
    }
    if (!hasDetails) return;
    if (isBid) {
      bidder = in.readInt();
    } else {
      seller = in.readInt();
      initialBid = in.readInt();
      reserve = in.readInt();
      itemName = FlatText.read(in);
    }
  }

  static final class Key implements KeySelector<AuctionOrBid, Integer> {
    private static final long serialVersionUID = 1;

    @Override
    public Integer getKey(AuctionOrBid event) {
      return event.auction;
    }
  }

  /** Auctions and bids of a frame. */
  static final class All implements Emitter<AuctionOrBid> {
    private static final long serialVersionUID = 1;

    private final boolean withDetails;
    private transient FrameDecoder.Column kind;
    private transient FrameDecoder.Column at;
    private transient FrameDecoder.Column id;
    private transient FrameDecoder.Column auction;
    private transient FrameDecoder.Column price;
    private transient FrameDecoder.Column expiresAfter;
    private transient FrameDecoder.Column category;
    private transient FrameDecoder.Column bidder;
    private transient FrameDecoder.Column seller;
    private transient FrameDecoder.Column initialBid;
    private transient FrameDecoder.Column reserve;
    private transient FrameDecoder.Column itemName;
    private transient AuctionOrBid event;

    All(boolean withDetails) {
      this.withDetails = withDetails;
    }

    @Override
    public FrameDecoder open() {
      String[] needed = {"at", "kind", "id", "auction", "price", "expiresAfter", "category"};
      String[] details = {"bidder", "seller", "initialBid", "reserve", "itemName"};
      FrameDecoder decoder =
          new FrameDecoder(
              NexmarkEvent.SCHEMA,
              Stream.of(needed, withDetails ? details : new String[0]).flatMap(Stream::of).toArray(String[]::new));
      kind = decoder.column("kind");
      at = decoder.column("at");
      id = decoder.column("id");
      auction = decoder.column("auction");
      price = decoder.column("price");
      expiresAfter = decoder.column("expiresAfter");
      category = decoder.column("category");
      bidder = decoder.column("bidder");
      seller = decoder.column("seller");
      initialBid = decoder.column("initialBid");
      reserve = decoder.column("reserve");
      itemName = decoder.column("itemName");
      event = new AuctionOrBid();
      event.hasDetails = withDetails;
      return decoder;
    }

    @Override
    public void emit(int records, SourceOutput<AuctionOrBid> output) {
      for (int i = 0; i < records; i++) {
        int what = kind.ints[i];
        if (what == NexmarkEvent.PERSON) continue;
        event.isBid = what == NexmarkEvent.BID;
        event.at = at.times[i];
        if (event.isBid) {
          event.auction = auction.ints[i];
          event.price = price.ints[i];
        } else {
          event.auction = id.ints[i];
          event.expiresAfter = expiresAfter.ints[i];
          event.category = category.ints[i];
        }
        if (withDetails) readDetails(i);
        output.collect(event, event.at);
      }
    }

    private void readDetails(int i) {
      if (event.isBid) {
        event.bidder = bidder.ints[i];
      } else {
        event.seller = seller.ints[i];
        event.initialBid = initialBid.ints[i];
        event.reserve = reserve.ints[i];
        event.itemName = itemName.texts[itemName.codes[i]];
      }
    }
  }
}
