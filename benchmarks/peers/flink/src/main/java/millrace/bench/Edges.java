package millrace.bench;

import static java.time.Duration.ofMillis;

import java.io.IOException;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.co.ProcessJoinFunction;
import org.apache.flink.streaming.api.functions.windowing.WindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.EventTimeSessionWindows;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.WindowAssigner;
import org.apache.flink.streaming.api.windowing.windows.GlobalWindow;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.streaming.api.windowing.windows.Window;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;

/** The windows, timers and joins of benchmarks/truth/edges.ts, case by case: Flink's own operators, untuned. Truth is all that is asked. */
final class Edges {
  private static final FlatType<Values> VALUES = FlatType.forClass(Values.class);
  private static final int LATE = 100;

  private final DataStream<EdgeEvent> events;
  private final KeyedStream<EdgeEvent, Integer> byKey;

  private Edges(DataStream<EdgeEvent> events) {
    this.events = events;
    byKey = events.keyBy(new Key(), Types.INT);
  }

  static void define(Pipeline pipeline) {
    var events =
        pipeline.inOrder(
            new EdgeEvent.All(), FlatType.forClass(EdgeEvent.class), WatermarkStrategy.noWatermarks());
    pipeline.sink(new Edges(events).rows());
  }

  private DataStream<Values> rows() {
    return windows(1, TumblingEventTimeWindows.of(ofMillis(1000)), 0)
        .union(
            windows(2, TumblingEventTimeWindows.of(ofMillis(1000), ofMillis(300)), 700),
            windows(3, TumblingEventTimeWindows.of(ofMillis(1000), ofMillis(-150)), 0),
            windows(4, SlidingEventTimeWindows.of(ofMillis(1000), ofMillis(300)), 0),
            windows(5, SlidingEventTimeWindows.of(ofMillis(2000), ofMillis(500), ofMillis(120)), 1000),
            windows(6, SlidingEventTimeWindows.of(ofMillis(300), ofMillis(1000), ofMillis(50)), 400),
            windows(7, EventTimeSessionWindows.withGap(ofMillis(400)), 0),
            windows(8, EventTimeSessionWindows.withGap(ofMillis(400)), 600),
            windows(9, EventTimeSessionWindows.<EdgeEvent>withDynamicGap(e -> 100 + e.value), 0),
            threes(),
            byKey.process(new CountAtTimers()).returns(VALUES),
            intervals(30, true),
            intervals(31, false),
            pairs(),
            groups());
  }

  /** Count and sum of each window, and the events that were too late for it. */
  private DataStream<Values> windows(int number, WindowAssigner<? super EdgeEvent, TimeWindow> assigner, long lateMs) {
    var late = new OutputTag<>("late-" + number, FlatType.forClass(EdgeEvent.class));
    var sums =
        byKey
            .window(assigner)
            .allowedLateness(ofMillis(lateMs))
            .sideOutputLateData(late)
            .aggregate(
                new Sums(),
                new Row<TimeWindow>(
                    (key, window, sum) ->
                        Values.of(number, key, window.getStart(), window.getEnd(), sum.n, sum.sum)),
                FlatType.forClass(Sum.class),
                VALUES);
    return sums.union(
        sums.getSideOutput(late).map(e -> Values.of(LATE + number, e.key, e.at, e.value)).returns(VALUES));
  }

  private DataStream<Values> threes() {
    return byKey
        .countWindow(3)
        .aggregate(
            new Sums(),
            new Row<GlobalWindow>((key, window, sum) -> Values.of(20, key, sum.n, sum.sum)),
            FlatType.forClass(Sum.class),
            VALUES);
  }

  private DataStream<EdgeEvent> half(int rest) {
    return events.filter(event -> event.value % 2 == rest && !event.isBehind);
  }

  private static Values pair(int number, EdgeEvent left, EdgeEvent right) {
    return Values.of(number, left.key, left.at, left.value, right.at, right.value);
  }

  private DataStream<Values> intervals(int number, boolean isClosed) {
    var join =
        half(0)
            .keyBy(new Key(), Types.INT)
            .intervalJoin(half(1).keyBy(new Key(), Types.INT))
            .between(ofMillis(-300), ofMillis(200));
    return (isClosed ? join : join.lowerBoundExclusive().upperBoundExclusive()).process(new Pair(number), VALUES);
  }

  private DataStream<Values> pairs() {
    return half(0)
        .join(half(1))
        .where(new Key(), Types.INT)
        .equalTo(new Key(), Types.INT)
        .window(TumblingEventTimeWindows.of(ofMillis(500), ofMillis(100)))
        .apply((left, right) -> pair(32, left, right), VALUES);
  }

  private DataStream<Values> groups() {
    return half(0)
        .coGroup(half(1))
        .where(new Key(), Types.INT)
        .equalTo(new Key(), Types.INT)
        .window(SlidingEventTimeWindows.of(ofMillis(1000), ofMillis(400)))
        .apply(
            (lefts, rights, out) -> {
              int[] counts = {0, 0, 0};
              for (EdgeEvent left : lefts) {
                counts[0]++;
                counts[2] = left.key;
              }
              for (EdgeEvent right : rights) {
                counts[1]++;
                counts[2] = right.key;
              }
              out.collect(Values.of(33, counts[2], counts[0], counts[1]));
            },
            VALUES);
  }

  private static final class Key implements KeySelector<EdgeEvent, Integer> {
    private static final long serialVersionUID = 1;

    @Override
    public Integer getKey(EdgeEvent event) {
      return event.key;
    }
  }

  private static final class Pair extends ProcessJoinFunction<EdgeEvent, EdgeEvent, Values> {
    private static final long serialVersionUID = 1;

    private final int number;

    Pair(int number) {
      this.number = number;
    }

    @Override
    public void processElement(EdgeEvent left, EdgeEvent right, Context context, Collector<Values> out) {
      out.collect(pair(number, left, right));
    }
  }

  /** Timers of one key at one time are one; those set for the past fire too. */
  private static final class CountAtTimers extends KeyedProcessFunction<Integer, EdgeEvent, Values> {
    private static final long serialVersionUID = 1;
    private static final long TIMER_MS = 250;

    private transient ValueState<Integer> n;

    @Override
    public void open(OpenContext context) {
      n = getRuntimeContext().getState(new ValueStateDescriptor<>("n", Types.INT));
    }

    @Override
    public void processElement(EdgeEvent event, Context context, Collector<Values> out) throws Exception {
      n.update(n.value() == null ? 1 : n.value() + 1);
      context.timerService().registerEventTimeTimer(event.at + TIMER_MS);
    }

    @Override
    public void onTimer(long at, OnTimerContext context, Collector<Values> out) throws Exception {
      out.collect(Values.of(21, context.getCurrentKey(), at, n.value()));
    }
  }

  private record Row<W extends Window>(RowOf<W> row) implements WindowFunction<Sum, Values, Integer, W> {
    @Override
    public void apply(Integer key, W window, Iterable<Sum> sum, Collector<Values> out) {
      out.collect(row.of(key, window, sum.iterator().next()));
    }
  }

  private interface RowOf<W extends Window> extends java.io.Serializable {
    Values of(int key, W window, Sum sum);
  }

  private static final class Sums implements AggregateFunction<EdgeEvent, Sum, Sum> {
    private static final long serialVersionUID = 1;

    @Override
    public Sum createAccumulator() {
      return new Sum(0, 0);
    }

    @Override
    public Sum add(EdgeEvent event, Sum sum) {
      return new Sum(sum.n + 1, sum.sum + event.value);
    }

    @Override
    public Sum getResult(Sum sum) {
      return sum;
    }

    @Override
    public Sum merge(Sum a, Sum b) {
      return new Sum(a.n + b.n, a.sum + b.sum);
    }
  }

  static final class Sum implements Flat<Sum> {
    private int n;
    private long sum;

    Sum() {}

    Sum(int n, long sum) {
      this.n = n;
      this.sum = sum;
    }

    @Override
    public Sum fresh() {
      return new Sum();
    }

    @Override
    public Sum copy() {
      return this; // nobody changes one
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      out.writeInt(n);
      out.writeLong(sum);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      n = in.readInt();
      sum = in.readLong();
    }
  }
}
