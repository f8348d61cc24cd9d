package millrace.bench;

import java.util.List;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** The leading entries of a Redis stream, in their order, by one reader. */
final class RedisSource<T> extends BoundedSource<T, RedisSplit> {
  private static final long serialVersionUID = 1;

  private final String socket;
  private final String stream;
  private final String field;
  private final int perRead;
  private final int entries;
  private final EntryDecoder<T> decoder;

  /**
   * @param field of an entry that is read
   * @param perRead entries that one command asks for
   * @param entries how many to read in all
   */
  RedisSource(String socket, String stream, String field, int perRead, int entries, EntryDecoder<T> decoder) {
    this.socket = socket;
    this.stream = stream;
    this.field = field;
    this.perRead = perRead;
    this.entries = entries;
    this.decoder = decoder;
  }

  @Override
  public SourceReader<T, RedisSplit> createReader(SourceReaderContext context) {
    return new RedisReader<>(RedisServer.open(socket), stream, field, perRead, decoder);
  }

  @Override
  List<RedisSplit> splits(int readers) {
    return List.of(new RedisSplit("0", entries));
  }

  @Override
  public SimpleVersionedSerializer<RedisSplit> getSplitSerializer() {
    return new RedisSplit.Serializer();
  }
}
