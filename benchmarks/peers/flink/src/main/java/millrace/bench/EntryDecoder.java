package millrace.bench;

import java.io.IOException;
import java.io.Serializable;
import org.apache.flink.api.connector.source.SourceOutput;

/** Turns the value of a stream's entry into records. */
interface EntryDecoder<T> extends Serializable {
  /** Called once per reader, before all else. */
  void open();

  /** Emits what the entry holds. May emit one object again and again: object reuse is on. */
  void decode(byte[] value, SourceOutput<T> output) throws IOException;
}
