package millrace.bench;

import java.io.IOException;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** A record of flat fields that writes and reads itself; with {@link FlatType} it needs neither reflection nor boxing. */
interface Flat<T> {
  /** An empty one. */
  T fresh();

  T copy();

  void write(DataOutputView out) throws IOException;

  void read(DataInputView in) throws IOException;
}
