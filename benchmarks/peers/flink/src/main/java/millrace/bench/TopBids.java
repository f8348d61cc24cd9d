package millrace.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** q19: the ten highest bids on each auction, with their ranks; of equal ones the earlier is the better. Gives the ranks that change. */
final class TopBids {
  private TopBids() {}

  static void define(Pipeline pipeline) {
    pipeline.sink(
        pipeline
            .keyBy(pipeline.inOrder(new Bid.All(), Bid.class), new Auction(), Types.INT)
            .process(new Rank())
            .returns(FlatType.forClass(Values.class)));
  }

  private static final class Auction implements KeySelector<Bid, Integer> {
    private static final long serialVersionUID = 1;

    @Override
    public Integer getKey(Bid bid) {
      return bid.auction;
    }
  }

  private static final class Rank extends KeyedProcessFunction<Integer, Bid, Values> {
    private static final long serialVersionUID = 1;
    private static final int COUNT = 10;

    private transient ValueState<Top> state;

    @Override
    public void open(OpenContext context) {
      state = getRuntimeContext().getState(new ValueStateDescriptor<>("top", FlatType.forClass(Top.class)));
    }

    @Override
    public void processElement(Bid bid, Context context, Collector<Values> out) throws Exception {
      Top top = state.value();
      if (top == null) {
        top = new Top();
        state.update(top);
      }
      List<Bid> bids = top.bids;
      int at = bids.size();
      while (at > 0 && bids.get(at - 1).price < bid.price) at--;
      if (at == COUNT) return;
      for (int i = at; i < bids.size(); i++) out.collect(row(i, bids.get(i)).takenBack());
      if (bids.size() == COUNT) bids.remove(COUNT - 1);
      bids.add(at, bid.copy());
      for (int i = at; i < bids.size(); i++) out.collect(row(i, bids.get(i)));
    }

    private static Values row(int i, Bid bid) {
      return Values.of(bid.auction, i + 1, bid.bidder, bid.price, bid.at);
    }
  }

  /** The best first. Changed in place, which the hashmap backend allows and which saves a second look-up. */
  static final class Top implements Flat<Top> {
    private final List<Bid> bids = new ArrayList<>();

    @Override
    public Top fresh() {
      return new Top();
    }

    @Override
    public Top copy() {
      Top copy = new Top();
      copy.bids.addAll(bids);
      return copy;
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      out.writeByte(bids.size());
      for (Bid bid : bids) bid.write(out);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      int size = in.readByte();
      for (int i = 0; i < size; i++) {
        Bid bid = new Bid();
        bid.read(in);
        bids.add(bid);
      }
    }
  }
}
