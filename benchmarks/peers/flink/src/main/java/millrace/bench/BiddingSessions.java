package millrace.bench;

import java.io.IOException;
import java.time.Duration;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.datastream.WindowedStream;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.windowing.WindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.EventTimeSessionWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/**
 * How often people bid: q12 in each 10 s, of event time, q11 until they pause for 10 s. Flink's session windows make a window of every
 * record and merge it into the one before, with its timers and its place in state; the best form is a process function that extends a
 * session.
 */
final class BiddingSessions {
  private static final long GAP_MS = 10_000;
  private static final long SIZE_MS = 10_000;

  private BiddingSessions() {}

  static void define(Pipeline pipeline) {
    KeyedStream<Bid, Integer> bids = byBidder(pipeline);
    pipeline.sink(
        pipeline.best()
            ? extended(bids)
            : counted(bids.window(EventTimeSessionWindows.withGap(Duration.ofMillis(GAP_MS)))));
  }

  static void defineTumbling(Pipeline pipeline) {
    pipeline.sink(
        counted(pipeline.window(byBidder(pipeline), TumblingEventTimeWindows.of(Duration.ofMillis(SIZE_MS)))));
  }

  private static KeyedStream<Bid, Integer> byBidder(Pipeline pipeline) {
    return pipeline.keyBy(pipeline.inOrder(new Bid.All(), Bid.class), new Bidder(), Types.INT);
  }

  private static DataStream<Session> counted(WindowedStream<Bid, Integer, TimeWindow> windows) {
    return windows.aggregate(
        new Counter.OfBids(), new Row(), FlatType.forClass(Counter.class), FlatType.forClass(Session.class));
  }

  private static DataStream<Session> extended(KeyedStream<Bid, Integer> byBidder) {
    return byBidder.process(new Extend()).returns(FlatType.forClass(Session.class));
  }

  private static final class Bidder implements KeySelector<Bid, Integer> {
    private static final long serialVersionUID = 1;

    @Override
    public Integer getKey(Bid bid) {
      return bid.bidder;
    }
  }

  /**
   * Extends the sessions of a bidder, of which there is one but where bids come out of order. There is one timer per bidder: it is due when
   * the session would have ended that it was set for, and then set again where that has been extended.
   */
  private static final class Extend extends KeyedProcessFunction<Integer, Bid, Session> {
    private static final long serialVersionUID = 1;

    private transient ValueState<OpenSessions> state;

    @Override
    public void open(OpenContext context) {
      state = getRuntimeContext().getState(new ValueStateDescriptor<>("open", FlatType.forClass(OpenSessions.class)));
    }

    @Override
    public void processElement(Bid bid, Context context, Collector<Session> out) throws Exception {
      OpenSessions open = state.value();
      if (open == null) {
        open = new OpenSessions();
        open.add(bid.at, GAP_MS);
        state.update(open);
        context.timerService().registerEventTimeTimer(bid.at + GAP_MS);
      } else {
        open.add(bid.at, GAP_MS);
      }
    }

    @Override
    public void onTimer(long at, OnTimerContext context, Collector<Session> out) throws Exception {
      OpenSessions open = state.value();
      int bidder = context.getCurrentKey();
      open.closeUntil(at - GAP_MS, (n, start, last) -> out.collect(new Session(bidder, n, start, last + GAP_MS)));
      if (open.isEmpty()) state.clear();
      else context.timerService().registerEventTimeTimer(open.firstLast() + GAP_MS);
    }
  }

  private static final class Row implements WindowFunction<Counter, Session, Integer, TimeWindow> {
    private static final long serialVersionUID = 1;

    @Override
    public void apply(Integer bidder, TimeWindow window, Iterable<Counter> counter, Collector<Session> out) {
      out.collect(new Session(bidder, counter.iterator().next().n, window.getStart(), window.getEnd()));
    }
  }

  /** Result of q11 and q12. */
  static final class Session implements Flat<Session>, ResultRow {
    private int bidder;
    private int n;
    private long start;
    private long end;

    Session() {}

    Session(int bidder, int n, long start, long end) {
      this.bidder = bidder;
      this.n = n;
      this.start = start;
      this.end = end;
    }

    @Override
    public Session fresh() {
      return new Session();
    }

    @Override
    public Session copy() {
      return this; // nobody changes one
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      out.writeInt(bidder);
      out.writeInt(n);
      out.writeLong(start);
      out.writeLong(end);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      bidder = in.readInt();
      n = in.readInt();
      start = in.readLong();
      end = in.readLong();
    }

    @Override
    public int hash() {
      return RowHash.add(RowHash.add(RowHash.add(RowHash.add(0, bidder), n), start), end);
    }

    @Override
    public String line() {
      return bidder + "," + n + "," + start + "," + end;
    }
  }
}
