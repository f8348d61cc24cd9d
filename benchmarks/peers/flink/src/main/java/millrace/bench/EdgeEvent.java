package millrace.bench;

import java.io.IOException;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** An event of benchmarks/truth/edge-events.ts. */
final class EdgeEvent implements Flat<EdgeEvent> {
  private static final long BOUND_MS = 500;
  private static final Schema SCHEMA =
      new Schema(
          "edge",
          Schema.Field.eventTime(1, "at"),
          Schema.Field.of(2, "key", Schema.Type.I32),
          Schema.Field.of(3, "value", Schema.Type.I32),
          Schema.Field.of(4, "isBehind", Schema.Type.I32));

  long at;
  int key;
  int value;
  boolean isBehind;

  @Override
  public EdgeEvent fresh() {
    return new EdgeEvent();
  }

  @Override
  public EdgeEvent copy() {
    EdgeEvent copy = new EdgeEvent();
    copy.at = at;
    copy.key = key;
    copy.value = value;
    copy.isBehind = isBehind;
    return copy;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    out.writeLong(at);
    out.writeInt(key);
    out.writeInt(value);
    out.writeBoolean(isBehind);
  }

  @Override
  public void read(DataInputView in) throws IOException {
    at = in.readLong();
    key = in.readInt();
    value = in.readInt();
    isBehind = in.readBoolean();
  }

  /** The events of a frame, then the watermark: results do not depend on when the clock strikes. */
  static final class All implements Emitter<EdgeEvent> {
    private static final long serialVersionUID = 1;

    private transient FrameDecoder decoder;
    private transient long newest;

    @Override
    public FrameDecoder open() {
      decoder = new FrameDecoder(SCHEMA, "at", "key", "value", "isBehind");
      return decoder;
    }

    @Override
    public void emit(int records, SourceOutput<EdgeEvent> output) {
      for (int i = 0; i < records; i++) {
        EdgeEvent event = new EdgeEvent();
        event.at = decoder.column("at").times[i];
        event.key = decoder.column("key").ints[i];
        event.value = decoder.column("value").ints[i];
        event.isBehind = decoder.column("isBehind").ints[i] == 1;
        newest = Math.max(newest, event.at);
        output.collect(event, event.at);
      }
      output.emitWatermark(new Watermark(newest - BOUND_MS - 1));
    }
  }
}
