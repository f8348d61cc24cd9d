package millrace.bench;

import java.io.IOException;
import java.time.Duration;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.windowing.WindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.WindowAssigner;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/**
 * q5: the auctions with the most bids in the last 10 s, every 2 s. Flink's sliding windows take every record once for each window that it
 * falls into. In the best form bids are counted in panes of one slide, and only the counts of a pane go into the five windows that share it.
 */
final class HotItems {
  private static final Duration SIZE = Duration.ofSeconds(10);
  private static final Duration SLIDE = Duration.ofSeconds(2);

  private HotItems() {}

  static void define(Pipeline pipeline) {
    DataStream<Bid> bids = pipeline.inOrder(new Bid.All(), Bid.class);
    // The counts of a sliding window come at its last millisecond, which one window of a slide has to itself.
    WindowAssigner<Object, TimeWindow> sliding = SlidingEventTimeWindows.of(SIZE, SLIDE);
    WindowAssigner<Object, TimeWindow> slides = TumblingEventTimeWindows.of(SLIDE);
    DataStream<AuctionCount> counts =
        pipeline
            .window(pipeline.keyBy(bids, new Auction(), Types.INT), pipeline.best() ? slides : sliding)
            .aggregate(new Counter.OfBids(), new Count(), FlatType.forClass(Counter.class), FlatType.forClass(AuctionCount.class));
    pipeline.sink(
        pipeline
            .window(pipeline.keyBy(counts, new Everything(), Types.INT), pipeline.best() ? sliding : slides)
            .aggregate(new Sums(), new Most(), FlatType.forClass(IntCounts.class), FlatType.forClass(AuctionCount.class)));
  }

  private static final class Auction implements KeySelector<Bid, Integer> {
    private static final long serialVersionUID = 1;

    @Override
    public Integer getKey(Bid bid) {
      return bid.auction;
    }
  }

  private static final class Everything implements KeySelector<AuctionCount, Integer> {
    private static final long serialVersionUID = 1;

    @Override
    public Integer getKey(AuctionCount count) {
      return 0;
    }
  }

  private static final class Count implements WindowFunction<Counter, AuctionCount, Integer, TimeWindow> {
    private static final long serialVersionUID = 1;

    @Override
    public void apply(Integer auction, TimeWindow window, Iterable<Counter> counter, Collector<AuctionCount> out) {
      out.collect(new AuctionCount(auction, counter.iterator().next().n, window.getEnd()));
    }
  }

  private static final class Sums implements AggregateFunction<AuctionCount, IntCounts, IntCounts> {
    private static final long serialVersionUID = 1;

    @Override
    public IntCounts createAccumulator() {
      return new IntCounts();
    }

    @Override
    public IntCounts add(AuctionCount count, IntCounts counts) {
      counts.add(count.auction, count.n);
      return counts;
    }

    @Override
    public IntCounts getResult(IntCounts counts) {
      return counts;
    }

    @Override
    public IntCounts merge(IntCounts a, IntCounts b) {
      throw new UnsupportedOperationException("these windows do not merge");
    }
  }

  private static final class Most implements WindowFunction<IntCounts, AuctionCount, Integer, TimeWindow> {
    private static final long serialVersionUID = 1;

    @Override
    public void apply(Integer all, TimeWindow window, Iterable<IntCounts> sums, Collector<AuctionCount> out) {
      IntCounts counts = sums.iterator().next();
      int most = counts.most();
      counts.forEach(
          (auction, n) -> {
            if (n == most) out.collect(new AuctionCount(auction, n, window.getEnd()));
          });
    }
  }

  /** How many bids an auction has in a window. */
  static final class AuctionCount implements Flat<AuctionCount>, ResultRow {
    private int auction;
    private int n;
    private long end;

    AuctionCount() {}

    AuctionCount(int auction, int n, long end) {
      this.auction = auction;
      this.n = n;
      this.end = end;
    }

    @Override
    public AuctionCount fresh() {
      return new AuctionCount();
    }

    @Override
    public AuctionCount copy() {
      return this; // nobody changes one
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      out.writeInt(auction);
      out.writeInt(n);
      out.writeLong(end);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      auction = in.readInt();
      n = in.readInt();
      end = in.readLong();
    }

    @Override
    public int hash() {
      return RowHash.add(RowHash.add(RowHash.add(0, auction), n), end);
    }

    @Override
    public String line() {
      return auction + "," + n + "," + end;
    }
  }
}
