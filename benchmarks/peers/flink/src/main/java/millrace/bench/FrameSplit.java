package millrace.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * Every {@code stride}-th frame of a file from {@code next} on.
 *
 * @param index of the split, which is also the subtask that reads it
 */
record FrameSplit(int index, int stride, int next) implements OwnSplit {
  @Override
  public String splitId() {
    return "frames-" + index;
  }

  static final class Serializer implements SimpleVersionedSerializer<FrameSplit> {
    @Override
    public int getVersion() {
      return 1;
    }

    @Override
    public byte[] serialize(FrameSplit split) {
      return ByteBuffer.allocate(12).putInt(split.index).putInt(split.stride).putInt(split.next).array();
    }

    @Override
    public FrameSplit deserialize(int version, byte[] bytes) throws IOException {
      ByteBuffer buffer = ByteBuffer.wrap(bytes);
      return new FrameSplit(buffer.getInt(), buffer.getInt(), buffer.getInt());
    }
  }
}
