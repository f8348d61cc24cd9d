package millrace.bench;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.flink.api.connector.source.SourceOutput;

/** Entries that are frames. */
final class FrameEntries<T> implements EntryDecoder<T> {
  private static final long serialVersionUID = 1;

  private final Emitter<T> emitter;
  private transient FrameDecoder decoder;

  FrameEntries(Emitter<T> emitter) {
    this.emitter = emitter;
  }

  @Override
  public void open() {
    decoder = emitter.open();
  }

  @Override
  public void decode(byte[] value, SourceOutput<T> output) {
    decoder.decode(ByteBuffer.wrap(value).order(ByteOrder.LITTLE_ENDIAN));
    emitter.emit(decoder.records(), output);
  }
}
