package millrace.bench;

import java.io.Serializable;
import org.apache.flink.api.connector.source.SourceOutput;

/** Turns the columns of a frame into the records that a query reads. */
interface Emitter<T> extends Serializable {
  /** A decoder of the columns that {@link #emit} needs; called once per reader, before all else. */
  FrameDecoder open();

  /** Emits the records of the frame that the decoder read last. May emit one object again and again: object reuse is on. */
  void emit(int records, SourceOutput<T> output);
}
