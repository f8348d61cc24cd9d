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

/** q4: the average price that auctions of each category have closed at. */
final class ClosingPrices {
  private ClosingPrices() {}

  static void define(Pipeline pipeline) {
    DataStream<Closed> closed =
        pipeline
            .keyBy(pipeline.inOrder(new AuctionOrBid.All(false), AuctionOrBid.class), new AuctionOrBid.Key(), Types.INT)
            .process(new Winner<>((auction, open) -> new Closed(open.category, open.best)))
            .returns(FlatType.forClass(Closed.class));
    pipeline.sink(
        pipeline
            .keyBy(closed, new Category(), Types.INT)
            .process(new Average())
            .returns(FlatType.forClass(CategoryAverage.class)));
  }

  private static final class Category implements KeySelector<Closed, Integer> {
    private static final long serialVersionUID = 1;

    @Override
    public Integer getKey(Closed closed) {
      return closed.category;
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
