package millrace.bench;

import java.io.IOException;
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
 * q18: the last bid of each person on each auction. A later bid takes the one before back. The bid in state is changed in place, which
 * the hashmap backend allows and which saves a second look-up.
 */
final class LastBids {
  private LastBids() {}

  static void define(Pipeline pipeline) {
    DataStream<Bid> bids = pipeline.inOrder(new Bid.All(), Bid.class);
    pipeline.sink(
        pipeline
            .keyBy(bids, new BidderAndAuction(), Types.LONG)
            .process(new Last())
            .returns(FlatType.forClass(LastBid.class)));
  }

  private static final class BidderAndAuction implements KeySelector<Bid, Long> {
    private static final long serialVersionUID = 1;

    @Override
    public Long getKey(Bid bid) {
      return (long) bid.bidder << 32 | bid.auction;
    }
  }

  private static final class Last extends KeyedProcessFunction<Long, Bid, LastBid> {
    private static final long serialVersionUID = 1;

    private transient ValueState<Bid> last;
    private transient LastBid row;

    @Override
    public void open(OpenContext context) {
      last = getRuntimeContext().getState(new ValueStateDescriptor<>("last", FlatType.forClass(Bid.class)));
      row = new LastBid();
    }

    @Override
    public void processElement(Bid bid, Context context, Collector<LastBid> out) throws Exception {
      Bid before = last.value();
      if (before == null) {
        last.update(bid.copy());
      } else {
        if (bid.at < before.at) return;
        out.collect(row.of(before, -1));
        before.set(bid);
      }
      out.collect(row.of(bid, 1));
    }
  }

  /** Result of q18. */
  static final class LastBid implements Flat<LastBid>, ResultRow {
    private Bid bid = new Bid();
    private int sign;

    LastBid of(Bid of, int withSign) {
      bid = of;
      sign = withSign;
      return this;
    }

    @Override
    public LastBid fresh() {
      return new LastBid();
    }

    @Override
    public LastBid copy() {
      return new LastBid().of(bid.copy(), sign);
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      bid.write(out);
      out.writeInt(sign);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      bid.read(in);
      sign = in.readInt();
    }

    @Override
    public int sign() {
      return sign;
    }

    @Override
    public int hash() {
      return bid.hash();
    }

    @Override
    public String line() {
      return bid.line();
    }
  }
}
