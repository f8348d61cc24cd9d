package millrace.bench;

import java.io.IOException;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** An auction that was opened, or a bid in one: one stream with one key, so that the join needs one input. */
final class AuctionOrBid implements Flat<AuctionOrBid> {
  boolean isBid;
  int auction;
  long at;
  int price;
  int expiresAfter;
  int category;

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
    return copy;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    out.writeBoolean(isBid);
    out.writeInt(auction);
    out.writeLong(at);
    if (isBid) {
      out.writeInt(price);
    } else {
      out.writeInt(expiresAfter);
      out.writeInt(category);
    }
  }

  @Override
  public void read(DataInputView in) throws IOException {
    isBid = in.readBoolean();
    auction = in.readInt();
    at = in.readLong();
    if (isBid) {
      price = in.readInt();
    } else {
      expiresAfter = in.readInt();
      category = in.readInt();
    }
  }

  /** Auctions and bids of a frame. */
  static final class All implements Emitter<AuctionOrBid> {
    private static final long serialVersionUID = 1;

    private transient FrameDecoder.Column kind;
    private transient FrameDecoder.Column at;
    private transient FrameDecoder.Column id;
    private transient FrameDecoder.Column auction;
    private transient FrameDecoder.Column price;
    private transient FrameDecoder.Column expiresAfter;
    private transient FrameDecoder.Column category;
    private transient AuctionOrBid event;

    @Override
    public FrameDecoder open() {
      FrameDecoder decoder =
          new FrameDecoder(
              NexmarkEvent.SCHEMA, "at", "kind", "id", "auction", "price", "expiresAfter", "category");
      kind = decoder.column("kind");
      at = decoder.column("at");
      id = decoder.column("id");
      auction = decoder.column("auction");
      price = decoder.column("price");
      expiresAfter = decoder.column("expiresAfter");
      category = decoder.column("category");
      event = new AuctionOrBid();
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
        output.collect(event, event.at);
      }
    }
  }
}
