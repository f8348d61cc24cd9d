package millrace.bench;

import java.io.IOException;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Counts bids. */
final class Counter implements Flat<Counter> {
  int n = 0;

  @Override
  public Counter fresh() {
    return new Counter();
  }

  @Override
  public Counter copy() {
    Counter copy = new Counter();
    copy.n = n;
    return copy;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    out.writeInt(n);
  }

  @Override
  public void read(DataInputView in) throws IOException {
    n = in.readInt();
  }

  static final class OfBids implements AggregateFunction<Bid, Counter, Counter> {
    private static final long serialVersionUID = 1;

    @Override
    public Counter createAccumulator() {
      return new Counter();
    }

    @Override
    public Counter add(Bid bid, Counter counter) {
      counter.n++;
      return counter;
    }

    @Override
    public Counter getResult(Counter counter) {
      return counter;
    }

    @Override
    public Counter merge(Counter a, Counter b) {
      a.n += b.n;
      return a;
    }
  }
}
