package millrace.bench;

import java.io.IOException;
import java.io.Serializable;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * Gives each auction that has bids when it expires. Takes events in the order of their times; a bid of the very millisecond in which
 * its auction opens may come before it, and then waits until no auction of that millisecond can come. State objects are changed
 * in place where they are in state already, which the hashmap backend allows and which saves a second look-up.
 */
final class Winner<Out> extends KeyedProcessFunction<Integer, AuctionOrBid, Out> {
  private static final long serialVersionUID = 1;

  /** What an auction gives that has expired and has bids. */
  interface Result<Out> extends Serializable {
    Out of(int auction, Open open);
  }

  private final Result<Out> result;
  private transient ValueState<Open> state;

  Winner(Result<Out> result) {
    this.result = result;
  }

  @Override
  public void open(OpenContext context) {
    state = getRuntimeContext().getState(new ValueStateDescriptor<>("auction", FlatType.forClass(Open.class)));
  }

  @Override
  public void processElement(AuctionOrBid event, Context context, Collector<Out> out) throws Exception {
    Open open = state.value();
    if (!event.isBid) {
      Open opened = new Open();
      opened.opened = event.at;
      opened.expires = event.at + event.expiresAfter;
      opened.category = event.category;
      opened.seller = event.seller;
      if (open != null && open.earlyAt == event.at) opened.take(open.best, open.bidder, open.bestAt);
      state.update(opened);
      context.timerService().registerEventTimeTimer(opened.expires);
    } else if (open == null) {
      Open early = new Open();
      early.earlyAt = event.at;
      early.take(event);
      state.update(early);
      context.timerService().registerEventTimeTimer(event.at);
    } else if (!open.isEarly()) {
      if (event.at <= open.expires && event.price > open.best) open.take(event);
    } else if (open.earlyAt == event.at) {
      if (event.price > open.best) open.take(event);
    } else {
      open.earlyAt = event.at;
      open.take(event);
      context.timerService().registerEventTimeTimer(event.at);
    }
  }

  @Override
  public void onTimer(long at, OnTimerContext context, Collector<Out> out) throws Exception {
    Open open = state.value();
    if (open == null) return;
    if (open.isEarly()) {
      if (open.earlyAt <= at) state.clear();
    } else if (open.expires <= at) {
      if (open.best > 0) out.collect(result.of(context.getCurrentKey(), open));
      state.clear();
    }
  }

  /** An auction that has not expired, or the bids of one that has not opened. */
  static final class Open implements Flat<Open> {
    private static final long NOT_EARLY = Long.MIN_VALUE;

    long opened;
    long expires;
    int category;
    int seller;
    /** Highest bid, or 0; the rest is of that bid. */
    int best;
    int bidder;
    long bestAt;
    /** Time of the newest bids, while the auction has not opened. */
    private long earlyAt = NOT_EARLY;

    void take(AuctionOrBid bid) {
      take(bid.price, bid.bidder, bid.at);
    }

    void take(int price, int by, long at) {
      best = price;
      bidder = by;
      bestAt = at;
    }

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
      copy.opened = opened;
      copy.expires = expires;
      copy.category = category;
      copy.seller = seller;
      copy.take(best, bidder, bestAt);
      copy.earlyAt = earlyAt;
      return copy;
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      out.writeLong(opened);
      out.writeLong(expires);
      out.writeInt(category);
      out.writeInt(seller);
      out.writeInt(best);
      out.writeInt(bidder);
      out.writeLong(bestAt);
      out.writeLong(earlyAt);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      opened = in.readLong();
      expires = in.readLong();
      category = in.readInt();
      seller = in.readInt();
      best = in.readInt();
      bidder = in.readInt();
      bestAt = in.readLong();
      earlyAt = in.readLong();
    }
  }
}
