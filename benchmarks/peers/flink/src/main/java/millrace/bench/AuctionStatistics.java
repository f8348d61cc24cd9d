package millrace.bench;

import java.io.IOException;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** q17: bids on each auction in each day: how many, by price, and lowest, highest, sum and average of their prices. */
final class AuctionStatistics {
  private AuctionStatistics() {}

  static void define(Pipeline pipeline) {
    pipeline.sink(
        pipeline
            .keyBy(pipeline.inOrder(new Bid.All(), Bid.class), new AuctionAndDay(), Types.LONG)
            .process(new Statistics())
            .returns(FlatType.forClass(Values.class)));
  }

  private static final class AuctionAndDay implements KeySelector<Bid, Long> {
    private static final long serialVersionUID = 1;

    @Override
    public Long getKey(Bid bid) {
      return (long) bid.auction << 32 | bid.at / PriceRank.DAY_MS;
    }
  }

  private static final class Statistics extends KeyedProcessFunction<Long, Bid, Values> {
    private static final long serialVersionUID = 1;

    private transient ValueState<AuctionDay> state;

    @Override
    public void open(OpenContext context) {
      state = getRuntimeContext().getState(new ValueStateDescriptor<>("day", FlatType.forClass(AuctionDay.class)));
    }

    @Override
    public void processElement(Bid bid, Context context, Collector<Values> out) throws Exception {
      AuctionDay day = state.value();
      if (day == null) {
        day = new AuctionDay();
        state.update(day);
      } else {
        out.collect(day.row(bid).takenBack());
      }
      day.add(bid);
      out.collect(day.row(bid));
    }
  }

  /** Changed in place, which the hashmap backend allows and which saves a second look-up. */
  static final class AuctionDay implements Flat<AuctionDay> {
    /** In all, then of ranks 1 to 3. */
    private int[] bids = new int[4];

    private int min = Integer.MAX_VALUE;
    private int max = Integer.MIN_VALUE;
    private long sum;

    void add(Bid bid) {
      bids[0]++;
      bids[PriceRank.of(bid.price)]++;
      min = Math.min(min, bid.price);
      max = Math.max(max, bid.price);
      sum += bid.price;
    }

    Values row(Bid bid) {
      long day = bid.at - bid.at % PriceRank.DAY_MS;
      double average = (double) sum / bids[0];
      return Values.of(bid.auction, day, bids[0], bids[1], bids[2], bids[3], min, max, sum, average).decimalAt(9);
    }

    @Override
    public AuctionDay fresh() {
      return new AuctionDay();
    }

    @Override
    public AuctionDay copy() {
      AuctionDay copy = new AuctionDay();
      copy.bids = bids.clone();
      copy.min = min;
      copy.max = max;
      copy.sum = sum;
      return copy;
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      for (int count : bids) out.writeInt(count);
      out.writeInt(min);
      out.writeInt(max);
      out.writeLong(sum);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      for (int i = 0; i < bids.length; i++) bids[i] = in.readInt();
      min = in.readInt();
      max = in.readInt();
      sum = in.readLong();
    }
  }
}
