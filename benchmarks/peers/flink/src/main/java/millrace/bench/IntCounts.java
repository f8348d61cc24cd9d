package millrace.bench;

import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Counts by key in two arrays, probed linearly. Keys are not 0. */
final class IntCounts implements Flat<IntCounts> {
  interface Visitor {
    void visit(int key, int count);
  }

  private static final int CAPACITY_MIN = 1024;

  private int[] keys = new int[CAPACITY_MIN];
  private int[] counts = new int[CAPACITY_MIN];
  private int size = 0;

  void add(int key, int n) {
    int at = slotOf(key);
    if (keys[at] == 0) {
      keys[at] = key;
      size++;
    }
    counts[at] += n;
    if (size * 2 > keys.length) grow();
  }

  /** The highest count, or 0. */
  int most() {
    int most = 0;
    for (int count : counts) if (count > most) most = count;
    return most;
  }

  void forEach(Visitor visitor) {
    for (int i = 0; i < keys.length; i++) if (keys[i] != 0) visitor.visit(keys[i], counts[i]);
  }

  @Override
  public IntCounts fresh() {
    return new IntCounts();
  }

  @Override
  public IntCounts copy() {
    IntCounts copy = new IntCounts();
    copy.keys = Arrays.copyOf(keys, keys.length);
    copy.counts = Arrays.copyOf(counts, counts.length);
    copy.size = size;
    return copy;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    out.writeInt(size);
    for (int i = 0; i < keys.length; i++) {
      if (keys[i] == 0) continue;
      out.writeInt(keys[i]);
      out.writeInt(counts[i]);
    }
  }

  @Override
  public void read(DataInputView in) throws IOException {
    int entries = in.readInt();
    for (int i = 0; i < entries; i++) add(in.readInt(), in.readInt());
  }

  private int slotOf(int key) {
    int mask = keys.length - 1;
    int at = RowHash.mix(key) & mask;
    while (keys[at] != 0 && keys[at] != key) at = (at + 1) & mask;
    return at;
  }

  private void grow() {
    int[] oldKeys = keys;
    int[] oldCounts = counts;
    keys = new int[oldKeys.length * 2];
    counts = new int[oldKeys.length * 2];
    for (int i = 0; i < oldKeys.length; i++) {
      if (oldKeys[i] == 0) continue;
      int at = slotOf(oldKeys[i]);
      keys[at] = oldKeys[i];
      counts[at] = oldCounts[i];
    }
  }
}
