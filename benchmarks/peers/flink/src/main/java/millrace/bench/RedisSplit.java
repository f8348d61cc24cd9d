package millrace.bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * What is still to be read of a Redis stream; there is one reader.
 *
 * @param lastId of the last entry that was read; 0 before any
 * @param left entries after it to read
 */
record RedisSplit(String lastId, int left) implements OwnSplit {
  @Override
  public String splitId() {
    return "stream";
  }

  @Override
  public int index() {
    return 0;
  }

  static final class Serializer implements SimpleVersionedSerializer<RedisSplit> {
    @Override
    public int getVersion() {
      return 1;
    }

    @Override
    public byte[] serialize(RedisSplit split) {
      byte[] id = split.lastId.getBytes(StandardCharsets.US_ASCII);
      return ByteBuffer.allocate(4 + id.length).putInt(split.left).put(id).array();
    }

    @Override
    public RedisSplit deserialize(int version, byte[] bytes) {
      int left = ByteBuffer.wrap(bytes).getInt();
      return new RedisSplit(new String(bytes, 4, bytes.length - 4, StandardCharsets.US_ASCII), left);
    }
  }
}
