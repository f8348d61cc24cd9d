package millrace.bench;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;

/** The end of a job: rows go into a {@link Tally} that the JVM's {@link #take} hands out once the job has ended. */
final class ResultSink<T> implements Sink<T> {
  private static final long serialVersionUID = 1;
  private static final List<Tally<?>> DONE = new ArrayList<>();

  /** What one writer makes of its rows. */
  interface Tally<T> {
    void add(T row);
  }

  interface NewTally<T> extends Serializable {
    Tally<T> create();
  }

  private final NewTally<T> tallies;

  ResultSink(NewTally<T> tallies) {
    this.tallies = tallies;
  }

  /** The tallies of all writers that were closed since the last call. */
  static List<Tally<?>> take() {
    synchronized (DONE) {
      List<Tally<?>> taken = List.copyOf(DONE);
      DONE.clear();
      return taken;
    }
  }

  @Override
  public SinkWriter<T> createWriter(WriterInitContext context) {
    return new Writer<>(tallies.create());
  }

  private record Writer<T>(Tally<T> tally) implements SinkWriter<T> {
    @Override
    public void write(T row, Context context) {
      tally.add(row);
    }

    @Override
    public void flush(boolean endOfInput) {}

    @Override
    public void close() {
      synchronized (DONE) {
        DONE.add(tally);
      }
    }
  }
}
