package millrace.bench;

import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** A bid with those of its texts that a query reads; the others are empty. */
final class FullBid implements Flat<FullBid> {
  int auction;
  int bidder;
  int price;
  long at;
  String channel = "";
  String url = "";
  String extra = "";

  @Override
  public FullBid fresh() {
    return new FullBid();
  }

  @Override
  public FullBid copy() {
    FullBid copy = new FullBid();
    copy.auction = auction;
    copy.bidder = bidder;
    copy.price = price;
    copy.at = at;
    copy.channel = channel;
    copy.url = url;
    copy.extra = extra;
    return copy;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    out.writeInt(auction);
    out.writeInt(bidder);
    out.writeInt(price);
    out.writeLong(at);
    FlatText.write(channel, out);
    FlatText.write(url, out);
    FlatText.write(extra, out);
  }

  @Override
  public void read(DataInputView in) throws IOException {
    auction = in.readInt();
    bidder = in.readInt();
    price = in.readInt();
    at = in.readLong();
    channel = FlatText.read(in);
    url = FlatText.read(in);
    extra = FlatText.read(in);
  }

  /** The bids of a frame, with these texts. */
  static final class With implements Emitter<FullBid> {
    private static final long serialVersionUID = 1;

    private final List<String> texts;
    private transient FrameDecoder.Column kind;
    private transient FrameDecoder.Column at;
    private transient FrameDecoder.Column auction;
    private transient FrameDecoder.Column bidder;
    private transient FrameDecoder.Column price;
    private transient FrameDecoder.Column channel;
    private transient FrameDecoder.Column url;
    private transient FrameDecoder.Column extra;
    private transient FullBid bid;

    With(String... texts) {
      this.texts = List.of(texts);
    }

    @Override
    public FrameDecoder open() {
      Stream<String> numbers = Stream.of("at", "kind", "auction", "bidder", "price");
      FrameDecoder decoder =
          new FrameDecoder(NexmarkEvent.SCHEMA, Stream.concat(numbers, texts.stream()).toArray(String[]::new));
      kind = decoder.column("kind");
      at = decoder.column("at");
      auction = decoder.column("auction");
      bidder = decoder.column("bidder");
      price = decoder.column("price");
      channel = wanted(decoder, "channel");
      url = wanted(decoder, "url");
      extra = wanted(decoder, "extra");
      bid = new FullBid();
      return decoder;
    }

    @Override
    public void emit(int records, SourceOutput<FullBid> output) {
      for (int i = 0; i < records; i++) {
        if (kind.ints[i] != NexmarkEvent.BID) continue;
        bid.auction = auction.ints[i];
        bid.bidder = bidder.ints[i];
        bid.price = price.ints[i];
        bid.at = at.times[i];
        if (channel != null) bid.channel = channel.texts[channel.codes[i]];
        if (url != null) bid.url = url.texts[url.codes[i]];
        if (extra != null) bid.extra = extra.texts[extra.codes[i]];
        output.collect(bid, bid.at);
      }
    }

    private FrameDecoder.Column wanted(FrameDecoder decoder, String name) {
      return texts.contains(name) ? decoder.column(name) : null;
    }
  }
}
