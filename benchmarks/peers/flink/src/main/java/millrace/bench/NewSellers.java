package millrace.bench;

import java.io.IOException;
import java.time.Duration;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.windowing.WindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/**
 * q8: who has registered and opened an auction in the same 10 s. Flink's window join buffers both sides and crosses them; one window over
 * both kinds of events notes a name and a flag.
 */
final class NewSellers {
  private NewSellers() {}

  static void define(Pipeline pipeline) {
    DataStream<PersonOrAuction> events = pipeline.inOrder(new PersonOrAuction.All(false), PersonOrAuction.class);
    pipeline.sink(
        pipeline
            .window(
                pipeline.keyBy(events, new PersonOrAuction.Key(), Types.INT),
                TumblingEventTimeWindows.of(Duration.ofSeconds(10)))
            .aggregate(new Seen(), new Both(), FlatType.forClass(Activity.class), FlatType.forClass(NewSeller.class)));
  }

  private static final class Seen implements AggregateFunction<PersonOrAuction, Activity, Activity> {
    private static final long serialVersionUID = 1;

    @Override
    public Activity createAccumulator() {
      return new Activity();
    }

    @Override
    public Activity add(PersonOrAuction event, Activity activity) {
      if (event.isPerson) activity.name = event.name;
      else activity.isSelling = true;
      return activity;
    }

    @Override
    public Activity getResult(Activity activity) {
      return activity;
    }

    @Override
    public Activity merge(Activity a, Activity b) {
      throw new UnsupportedOperationException("tumbling windows do not merge");
    }
  }

  private static final class Both implements WindowFunction<Activity, NewSeller, Integer, TimeWindow> {
    private static final long serialVersionUID = 1;

    @Override
    public void apply(Integer person, TimeWindow window, Iterable<Activity> seen, Collector<NewSeller> out) {
      Activity activity = seen.iterator().next();
      if (activity.isSelling && !activity.name.isEmpty())
        out.collect(new NewSeller(person, activity.name, window.getStart()));
    }
  }

  /** What a person has done in a window. */
  static final class Activity implements Flat<Activity> {
    /** Empty unless the person has registered. */
    private String name = "";
    private boolean isSelling = false;

    @Override
    public Activity fresh() {
      return new Activity();
    }

    @Override
    public Activity copy() {
      Activity copy = new Activity();
      copy.name = name;
      copy.isSelling = isSelling;
      return copy;
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      FlatText.write(name, out);
      out.writeBoolean(isSelling);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      name = FlatText.read(in);
      isSelling = in.readBoolean();
    }
  }

  /** Result of q8. */
  static final class NewSeller implements Flat<NewSeller>, ResultRow {
    private int person;
    private String name = "";
    private long start;

    NewSeller() {}

    NewSeller(int person, String name, long start) {
      this.person = person;
      this.name = name;
      this.start = start;
    }

    @Override
    public NewSeller fresh() {
      return new NewSeller();
    }

    @Override
    public NewSeller copy() {
      return this; // nobody changes one
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      out.writeInt(person);
      FlatText.write(name, out);
      out.writeLong(start);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      person = in.readInt();
      name = FlatText.read(in);
      start = in.readLong();
    }

    @Override
    public int hash() {
      return RowHash.add(RowHash.add(RowHash.add(0, person), name), start);
    }

    @Override
    public String line() {
      return person + "," + name + "," + start;
    }
  }
}
