package millrace.bench;

import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Sessions of one key that have not ended, by their starts; almost always one. */
final class OpenSessions implements Flat<OpenSessions> {
  interface Visitor {
    void visit(int n, long start, long last);
  }

  private int size = 0;
  private int[] counts = new int[1];
  private long[] starts = new long[1];
  private long[] lasts = new long[1];

  boolean isEmpty() {
    return size == 0;
  }

  /** Last record of the first session. */
  long firstLast() {
    return lasts[0];
  }

  /** Takes in a record: it extends a session that it is no more than {@code gap} away from, which may then meet the next. */
  void add(long at, long gap) {
    int i = 0;
    while (i < size && at > lasts[i] + gap) i++;
    if (i == size || at < starts[i] - gap) {
      insert(i, at);
      return;
    }
    counts[i]++;
    if (at < starts[i]) starts[i] = at;
    if (at <= lasts[i]) return;
    lasts[i] = at;
    if (i + 1 < size && starts[i + 1] <= at + gap) mergeNext(i);
  }

  /** Gives and forgets the sessions whose last record is not after {@code time}. */
  void closeUntil(long time, Visitor visitor) {
    int closed = 0;
    while (closed < size && lasts[closed] <= time) {
      visitor.visit(counts[closed], starts[closed], lasts[closed]);
      closed++;
    }
    shift(closed, 0);
  }

  @Override
  public OpenSessions fresh() {
    return new OpenSessions();
  }

  @Override
  public OpenSessions copy() {
    OpenSessions copy = new OpenSessions();
    copy.size = size;
    copy.counts = counts.clone();
    copy.starts = starts.clone();
    copy.lasts = lasts.clone();
    return copy;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    out.writeInt(size);
    for (int i = 0; i < size; i++) {
      out.writeInt(counts[i]);
      out.writeLong(starts[i]);
      out.writeLong(lasts[i]);
    }
  }

  @Override
  public void read(DataInputView in) throws IOException {
    size = in.readInt();
    counts = new int[Math.max(1, size)];
    starts = new long[counts.length];
    lasts = new long[counts.length];
    for (int i = 0; i < size; i++) {
      counts[i] = in.readInt();
      starts[i] = in.readLong();
      lasts[i] = in.readLong();
    }
  }

  private void insert(int i, long at) {
    if (size == counts.length) {
      counts = Arrays.copyOf(counts, size + 1);
      starts = Arrays.copyOf(starts, size + 1);
      lasts = Arrays.copyOf(lasts, size + 1);
    }
    shift(i, i + 1);
    counts[i] = 1;
    starts[i] = at;
    lasts[i] = at;
  }

  private void mergeNext(int i) {
    counts[i] += counts[i + 1];
    lasts[i] = lasts[i + 1];
    shift(i + 2, i + 1);
  }

  /** Moves the sessions from {@code from} on to {@code to}. */
  private void shift(int from, int to) {
    int moved = size - from;
    System.arraycopy(counts, from, counts, to, moved);
    System.arraycopy(starts, from, starts, to, moved);
    System.arraycopy(lasts, from, lasts, to, moved);
    size = to + moved;
  }
}
