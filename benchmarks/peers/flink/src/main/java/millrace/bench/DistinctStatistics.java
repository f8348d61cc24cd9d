package millrace.bench;

import java.io.IOException;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** q15: bids, distinct bidders and distinct auctions of each day, by price. q16: of each channel too, with the minute of its last bid. */
final class DistinctStatistics {
  private static final FlatType<Values> VALUES = FlatType.forClass(Values.class);
  private static final long MINUTE_MS = 60_000;

  private DistinctStatistics() {}

  static void q15(Pipeline pipeline) {
    var bids = pipeline.inOrder(new FullBid.With(), FullBid.class);
    pipeline.sink(pipeline.keyBy(bids, new Day(), Types.LONG).process(new Statistics<>(false)).returns(VALUES));
  }

  static void q16(Pipeline pipeline) {
    var bids = pipeline.inOrder(new FullBid.With("channel"), FullBid.class);
    var byChannel = pipeline.keyBy(bids, new ChannelAndDay(), Types.TUPLE(Types.STRING, Types.LONG));
    pipeline.sink(byChannel.process(new Statistics<>(true)).returns(VALUES));
  }

  private static long dayOf(long at) {
    return at - at % PriceRank.DAY_MS;
  }

  private static final class Day implements KeySelector<FullBid, Long> {
    private static final long serialVersionUID = 1;

    @Override
    public Long getKey(FullBid bid) {
      return dayOf(bid.at);
    }
  }

  private static final class ChannelAndDay implements KeySelector<FullBid, Tuple2<String, Long>> {
    private static final long serialVersionUID = 1;

    @Override
    public Tuple2<String, Long> getKey(FullBid bid) {
      return Tuple2.of(bid.channel, dayOf(bid.at));
    }
  }

  private static final class Statistics<K> extends KeyedProcessFunction<K, FullBid, Values> {
    private static final long serialVersionUID = 1;

    private final boolean ofChannels;
    private transient ValueState<Counts> counts;
    /** Ranks, as bits, in which each has been seen. */
    private transient MapState<Integer, Byte> bidders;
    private transient MapState<Integer, Byte> auctions;

    Statistics(boolean ofChannels) {
      this.ofChannels = ofChannels;
    }

    @Override
    public void open(OpenContext context) {
      var state = getRuntimeContext();
      counts = state.getState(new ValueStateDescriptor<>("counts", FlatType.forClass(Counts.class)));
      bidders = state.getMapState(new MapStateDescriptor<>("bidders", Types.INT, Types.BYTE));
      auctions = state.getMapState(new MapStateDescriptor<>("auctions", Types.INT, Types.BYTE));
    }

    @Override
    public void processElement(FullBid bid, Context context, Collector<Values> out) throws Exception {
      Counts now = counts.value();
      if (now == null) {
        now = new Counts();
        counts.update(now);
      } else {
        out.collect(row(bid, now).takenBack());
      }
      int rank = PriceRank.of(bid.price);
      now.minute = bid.at - bid.at % MINUTE_MS;
      now.of[0]++;
      now.of[rank]++;
      countDistinct(now.of, 4, bidders, bid.bidder, rank);
      countDistinct(now.of, 8, auctions, bid.auction, rank);
      out.collect(row(bid, now));
    }

    private static void countDistinct(int[] counts, int at, MapState<Integer, Byte> seen, int id, int rank)
        throws Exception {
      Byte known = seen.get(id);
      int ranks = known == null ? 0 : known;
      if (ranks == 0) counts[at]++;
      if ((ranks & 1 << rank) != 0) return;
      counts[at + rank]++;
      seen.put(id, (byte) (ranks | 1 << rank));
    }

    private Values row(FullBid bid, Counts now) {
      int before = ofChannels ? 2 : 1;
      double[] numbers = new double[before + now.of.length];
      numbers[0] = dayOf(bid.at);
      if (ofChannels) numbers[1] = now.minute;
      for (int i = 0; i < now.of.length; i++) numbers[before + i] = now.of[i];
      Values row = Values.of(numbers);
      return ofChannels ? row.with(bid.channel) : row;
    }
  }

  /** Changed in place, which the hashmap backend allows and which saves a second look-up. */
  static final class Counts implements Flat<Counts> {
    /** Bids, bidders, auctions: of each in all, then of ranks 1 to 3. */
    private int[] of = new int[12];

    private long minute;

    @Override
    public Counts fresh() {
      return new Counts();
    }

    @Override
    public Counts copy() {
      Counts copy = new Counts();
      copy.of = of.clone();
      copy.minute = minute;
      return copy;
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      for (int count : of) out.writeInt(count);
      out.writeLong(minute);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      for (int i = 0; i < of.length; i++) of[i] = in.readInt();
      minute = in.readLong();
    }
  }
}
