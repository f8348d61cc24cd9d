package millrace.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** q9: the winning bid of each auction. q6: the average price of the last ten auctions that each seller has closed. */
final class WonAuctions {
  private WonAuctions() {}

  static void q9(Pipeline pipeline) {
    pipeline.sink(won(pipeline));
  }

  static void q6(Pipeline pipeline) {
    pipeline.sink(
        pipeline
            .keyBy(won(pipeline), new Seller(), Types.INT)
            .process(new AverageOfLast())
            .returns(FlatType.forClass(Values.class)));
  }

  private static DataStream<Won> won(Pipeline pipeline) {
    return pipeline
        .keyBy(pipeline.inOrder(new AuctionOrBid.All(true), AuctionOrBid.class), new AuctionOrBid.Key(), Types.INT)
        .process(new Winner<>(Won::new))
        .returns(FlatType.forClass(Won.class));
  }

  private static final class Seller implements KeySelector<Won, Integer> {
    private static final long serialVersionUID = 1;

    @Override
    public Integer getKey(Won won) {
      return won.seller;
    }
  }

  /** Auctions of one seller that expire together count in the order of their ids: they are taken when no more of that time can come. */
  private static final class AverageOfLast extends KeyedProcessFunction<Integer, Won, Values> {
    private static final long serialVersionUID = 1;
    private static final int LAST = 10;

    private transient ListState<Integer> prices;
    private transient ListState<Won> waiting;

    @Override
    public void open(OpenContext context) {
      prices = getRuntimeContext().getListState(new ListStateDescriptor<>("prices", Types.INT));
      waiting = getRuntimeContext().getListState(new ListStateDescriptor<>("waiting", FlatType.forClass(Won.class)));
    }

    @Override
    public void processElement(Won won, Context context, Collector<Values> out) throws Exception {
      waiting.add(won);
      context.timerService().registerEventTimeTimer(won.expires);
    }

    @Override
    public void onTimer(long at, OnTimerContext context, Collector<Values> out) throws Exception {
      List<Won> due = new ArrayList<>();
      List<Won> later = new ArrayList<>();
      for (Won won : waiting.get()) (won.expires <= at ? due : later).add(won);
      waiting.update(later);
      due.sort(Comparator.comparingInt(won -> won.auction));
      List<Integer> last = new ArrayList<>();
      for (int price : prices.get()) last.add(price);
      for (Won won : due) {
        if (last.size() == LAST) last.remove(0);
        last.add(won.price);
        long sum = 0;
        for (int price : last) sum += price;
        out.collect(Values.of(won.seller, won.auction, (double) sum / last.size()).decimalAt(2));
      }
      prices.update(last);
    }
  }

  /** Result of q9. */
  static final class Won implements Flat<Won>, ResultRow {
    private int auction;
    private int seller;
    private int category;
    private long opened;
    private long expires;
    private int bidder;
    private int price;
    private long at;

    Won() {}

    Won(int auction, Winner.Open open) {
      this.auction = auction;
      seller = open.seller;
      category = open.category;
      opened = open.opened;
      expires = open.expires;
      bidder = open.bidder;
      price = open.best;
      at = open.bestAt;
    }

    @Override
    public Won fresh() {
      return new Won();
    }

    @Override
    public Won copy() {
      return this; // nobody changes one
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      out.writeInt(auction);
      out.writeInt(seller);
      out.writeInt(category);
      out.writeLong(opened);
      out.writeLong(expires);
      out.writeInt(bidder);
      out.writeInt(price);
      out.writeLong(at);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      auction = in.readInt();
      seller = in.readInt();
      category = in.readInt();
      opened = in.readLong();
      expires = in.readLong();
      bidder = in.readInt();
      price = in.readInt();
      at = in.readLong();
    }

    private Values values() {
      return Values.of(auction, seller, category, opened, expires, bidder, price, at);
    }

    @Override
    public int hash() {
      return values().hash();
    }

    @Override
    public String line() {
      return values().line();
    }
  }
}
