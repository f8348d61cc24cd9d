package millrace.bench;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** q20: bids on auctions of category 10, with what the auction is about. Bids that come before their auction wait for it. */
final class ItemBids {
  private ItemBids() {}

  static void define(Pipeline pipeline) {
    pipeline.sink(
        pipeline
            .keyBy(
                pipeline.inOrder(new AuctionOrBid.All(true), AuctionOrBid.class), new AuctionOrBid.Key(), Types.INT)
            .process(new Join())
            .returns(FlatType.forClass(Values.class)));
  }

  private static final class Join extends KeyedProcessFunction<Integer, AuctionOrBid, Values> {
    private static final long serialVersionUID = 1;
    private static final int CATEGORY = 10;
    /** Stands for the auctions of other categories. */
    private static final AuctionOrBid OTHER = new AuctionOrBid();

    private transient ValueState<AuctionOrBid> item;
    private transient ListState<AuctionOrBid> waiting;

    @Override
    public void open(OpenContext context) {
      FlatType<AuctionOrBid> type = FlatType.forClass(AuctionOrBid.class);
      item = getRuntimeContext().getState(new ValueStateDescriptor<>("item", type));
      waiting = getRuntimeContext().getListState(new ListStateDescriptor<>("waiting", type));
    }

    @Override
    public void processElement(AuctionOrBid event, Context context, Collector<Values> out) throws Exception {
      if (event.isBid) {
        AuctionOrBid known = item.value();
        if (known == null) waiting.add(event.copy());
        else if (known.category == CATEGORY) out.collect(row(event, known));
        return;
      }
      boolean isWanted = event.category == CATEGORY;
      item.update(isWanted ? event.copy() : OTHER);
      if (isWanted) for (AuctionOrBid bid : waiting.get()) out.collect(row(bid, event));
      waiting.clear();
    }

    private static Values row(AuctionOrBid bid, AuctionOrBid item) {
      return Values.of(
              bid.auction,
              bid.bidder,
              bid.price,
              bid.at,
              item.initialBid,
              item.reserve,
              item.seller,
              item.expiresAfter)
          .with(item.itemName);
    }
  }
}
