package millrace.bench;

import java.io.IOException;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * q4: the average price that auctions of each category have closed at. An auction keeps its highest bid only, until it expires. State
 * objects are changed in place where they are in state already, which the hashmap backend allows and which saves a second look-up.
 */
final class ClosingPrices {
  private ClosingPrices() {}

  static void define(Pipeline pipeline) {
    DataStream<AuctionOrBid> events =
        pipeline.inOrder(
            new AuctionOrBid.All(),
            FlatType.forClass(AuctionOrBid.class),
            WatermarkStrategy.forMonotonousTimestamps());
    DataStream<Closed> closed =
        pipeline.keyBy(events, new Auction(), Types.INT).process(new Winner()).returns(FlatType.forClass(Closed.class));
    pipeline.sink(
        pipeline
            .keyBy(closed, new Category(), Types.INT)
            .process(new Average())
            .returns(FlatType.forClass(CategoryAverage.class)));
  }

  private static final class Auction implements KeySelector<AuctionOrBid, Integer> {
    private static final long serialVersionUID = 1;

    @Override
    public Integer getKey(AuctionOrBid event) {
      return event.auction;
    }
  }

  private static final class Category implements KeySelector<Closed, Integer> {
    private static final long serialVersionUID = 1;

    @Override
    public Integer getKey(Closed closed) {
      return closed.category;
    }
  }

  /**
   * Gives each auction that has bids when it expires. Takes events in the order of their times; a bid of the very millisecond in which
   * its auction opens may come before it, and then waits until no auction of that millisecond can come.
   */
  private static final class Winner extends KeyedProcessFunction<Integer, AuctionOrBid, Closed> {
    private static final long serialVersionUID = 1;

    private transient ValueState<Open> state;

    @Override
    public void open(OpenContext context) {
      state = getRuntimeContext().getState(new ValueStateDescriptor<>("auction", FlatType.forClass(Open.class)));
    }

    @Override
    public void processElement(AuctionOrBid event, Context context, Collector<Closed> out) throws Exception {
      Open open = state.value();
      if (!event.isBid) {
        Open opened = new Open();
        opened.expires = event.at + event.expiresAfter;
        opened.category = event.category;
        if (open != null && open.earlyAt == event.at) opened.best = open.best;
        state.update(opened);
        context.timerService().registerEventTimeTimer(opened.expires);
      } else if (open == null) {
        Open early = new Open();
        early.earlyAt = event.at;
        early.best = event.price;
        state.update(early);
        context.timerService().registerEventTimeTimer(event.at);
      } else if (!open.isEarly()) {
        if (event.at <= open.expires && event.price > open.best) open.best = event.price;
      } else if (open.earlyAt == event.at) {
        if (event.price > open.best) open.best = event.price;
      } else {
        open.earlyAt = event.at;
        open.best = event.price;
        context.timerService().registerEventTimeTimer(event.at);
      }
    }

    @Override
    public void onTimer(long at, OnTimerContext context, Collector<Closed> out) throws Exception {
      Open open = state.value();
      if (open == null) return;
      if (open.isEarly()) {
        if (open.earlyAt <= at) state.clear();
      } else if (open.expires <= at) {
        if (open.best > 0) out.collect(new Closed(open.category, open.best));
        state.clear();
      }
    }
  }

  /** The running average of a category; a new one takes the old one back. */
  private static final class Average extends KeyedProcessFunction<Integer, Closed, CategoryAverage> {
    private static final long serialVersionUID = 1;

    private transient ValueState<CategoryAverage> state;

    @Override
    public void open(OpenContext context) {
      state =
          getRuntimeContext().getState(new ValueStateDescriptor<>("sum", FlatType.forClass(CategoryAverage.class)));
    }

    @Override
    public void processElement(Closed closed, Context context, Collector<CategoryAverage> out) throws Exception {
      CategoryAverage before = state.value();
      CategoryAverage now = new CategoryAverage();
      now.category = closed.category;
      now.n = (before == null ? 0 : before.n) + 1;
      now.sum = (before == null ? 0 : before.sum) + closed.price;
      state.update(now);
      if (before != null) out.collect(before.takenBack());
      out.collect(now);
    }
  }

  /** An auction that has not expired, or the bids of one that has not opened. */
  static final class Open implements Flat<Open> {
    private static final long NOT_EARLY = Long.MIN_VALUE;

    private long expires;
    private int category;
    /** Highest bid, or 0. */
    private int best;
    /** Time of the newest bids, while the auction has not opened. */
    private long earlyAt = NOT_EARLY;

    boolean isEarly() {
      return earlyAt != NOT_EARLY;
    }

    @Override
    public Open fresh() {
      return new Open();
    }

    @Override
    public Open copy() {
      Open copy = new Open();
      copy.expires = expires;
      copy.category = category;
      copy.best = best;
      copy.earlyAt = earlyAt;
      return copy;
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      out.writeLong(expires);
      out.writeInt(category);
      out.writeInt(best);
      out.writeLong(earlyAt);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      expires = in.readLong();
      category = in.readInt();
      best = in.readInt();
      earlyAt = in.readLong();
    }
  }

  /** An auction that has expired, with its highest bid. */
  static final class Closed implements Flat<Closed> {
    private int category;
    private int price;

    Closed() {}

    Closed(int category, int price) {
      this.category = category;
      this.price = price;
    }

    @Override
    public Closed fresh() {
      return new Closed();
    }

    @Override
    public Closed copy() {
      return this; // nobody changes one
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      out.writeInt(category);
      out.writeInt(price);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      category = in.readInt();
      price = in.readInt();
    }
  }

  /** Result of q4, and its state. */
  static final class CategoryAverage implements Flat<CategoryAverage>, ResultRow {
    private int category;
    private long n;
    private long sum;
    private boolean isTakenBack;

    CategoryAverage takenBack() {
      CategoryAverage row = new CategoryAverage();
      row.category = category;
      row.n = n;
      row.sum = sum;
      row.isTakenBack = true;
      return row;
    }

    @Override
    public CategoryAverage fresh() {
      return new CategoryAverage();
    }

    @Override
    public CategoryAverage copy() {
      return this; // nobody changes one
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      out.writeInt(category);
      out.writeLong(n);
      out.writeLong(sum);
      out.writeBoolean(isTakenBack);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      category = in.readInt();
      n = in.readLong();
      sum = in.readLong();
      isTakenBack = in.readBoolean();
    }

    @Override
    public int sign() {
      return isTakenBack ? -1 : 1;
    }

    @Override
    public int hash() {
      return RowHash.add(RowHash.add(0, category), (double) sum / n);
    }

    @Override
    public String line() {
      return category + "," + SixDecimals.of((double) sum / n);
    }
  }
}
