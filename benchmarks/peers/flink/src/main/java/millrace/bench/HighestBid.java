package millrace.bench;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.FilterFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.windowing.WindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/**
 * q7: the highest bids of every 10 s. In the best form a filter beside the source lets only those bids through that may still be the
 * highest of their window, so that the one window that all have in common sees a handful.
 */
final class HighestBid {
  private static final long SIZE_MS = 10_000;

  private HighestBid() {}

  static void define(Pipeline pipeline) {
    DataStream<Bid> bids = pipeline.spread(new Bid.All(), Bid.class);
    DataStream<Bid> candidates = pipeline.best() ? bids.filter(new Candidates()) : bids;
    pipeline.sink(
        pipeline
            .window(
                pipeline.keyBy(candidates, new Everything(), Types.INT),
                TumblingEventTimeWindows.of(Duration.ofMillis(SIZE_MS)))
            .aggregate(new Highest(), new Each(), FlatType.forClass(Bids.class), FlatType.forClass(HighBid.class)));
  }

  /** Forgets with every restart what it has seen, and then lets more through than it must: it needs no state. */
  private static final class Candidates implements FilterFunction<Bid> {
    private static final long serialVersionUID = 1;

    private long windowStart = Long.MIN_VALUE;
    private int highest = 0;

    @Override
    public boolean filter(Bid bid) {
      if (bid.at - windowStart >= SIZE_MS || windowStart == Long.MIN_VALUE) {
        windowStart = bid.at - bid.at % SIZE_MS;
        highest = bid.price;
        return true;
      }
      if (bid.at < windowStart) return true;
      if (bid.price < highest) return false;
      highest = bid.price;
      return true;
    }
  }

  private static final class Everything implements KeySelector<Bid, Integer> {
    private static final long serialVersionUID = 1;

    @Override
    public Integer getKey(Bid bid) {
      return 0;
    }
  }

  private static final class Highest implements AggregateFunction<Bid, Bids, Bids> {
    private static final long serialVersionUID = 1;

    @Override
    public Bids createAccumulator() {
      return new Bids();
    }

    @Override
    public Bids add(Bid bid, Bids highest) {
      if (bid.price < highest.price) return highest;
      if (bid.price > highest.price) {
        highest.price = bid.price;
        highest.bids.clear();
      }
      highest.bids.add(bid.copy());
      return highest;
    }

    @Override
    public Bids getResult(Bids highest) {
      return highest;
    }

    @Override
    public Bids merge(Bids a, Bids b) {
      throw new UnsupportedOperationException("tumbling windows do not merge");
    }
  }

  private static final class Each implements WindowFunction<Bids, HighBid, Integer, TimeWindow> {
    private static final long serialVersionUID = 1;

    @Override
    public void apply(Integer all, TimeWindow window, Iterable<Bids> highest, Collector<HighBid> out) {
      for (Bid bid : highest.iterator().next().bids) out.collect(new HighBid(bid));
    }
  }

  /** The bids at the highest price so far. */
  static final class Bids implements Flat<Bids> {
    private int price = 0;
    private final List<Bid> bids = new ArrayList<>();

    @Override
    public Bids fresh() {
      return new Bids();
    }

    @Override
    public Bids copy() {
      Bids copy = new Bids();
      copy.price = price;
      copy.bids.addAll(bids);
      return copy;
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      out.writeInt(price);
      out.writeInt(bids.size());
      for (Bid bid : bids) bid.write(out);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      price = in.readInt();
      int size = in.readInt();
      for (int i = 0; i < size; i++) {
        Bid bid = new Bid();
        bid.read(in);
        bids.add(bid);
      }
    }
  }

  /** Result of q7. */
  static final class HighBid implements Flat<HighBid>, ResultRow {
    private final Bid bid;

    HighBid() {
      this(new Bid());
    }

    HighBid(Bid bid) {
      this.bid = bid;
    }

    @Override
    public HighBid fresh() {
      return new HighBid();
    }

    @Override
    public HighBid copy() {
      return this; // nobody changes one
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      bid.write(out);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      bid.read(in);
    }

    @Override
    public int hash() {
      return RowHash.add(RowHash.add(RowHash.add(RowHash.add(0, bid.auction), bid.price), bid.bidder), bid.at);
    }

    @Override
    public String line() {
      return bid.auction + "," + bid.price + "," + bid.bidder + "," + bid.at;
    }
  }
}
