package millrace.bench;

import io.lettuce.core.StreamMessage;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.core.io.InputStatus;

/**
 * Reads a stream by position. While the entries of one reply are worked on, the next reply is on its way: the client's thread reads ahead
 * by one. A poll emits a whole reply, so that the loop around it is paid once for many records.
 */
final class RedisReader<T> implements SourceReader<T, RedisSplit> {
  private final RedisServer server;
  private final String stream;
  private final String field;
  private final int perRead;
  private final EntryDecoder<T> decoder;
  private final CompletableFuture<Void> assigned = new CompletableFuture<>();
  private CompletableFuture<List<StreamMessage<String, byte[]>>> reply;
  /** After the last entry that was emitted; null without a split. */
  private RedisSplit position;

  RedisReader(RedisServer server, String stream, String field, int perRead, EntryDecoder<T> decoder) {
    this.server = server;
    this.stream = stream;
    this.field = field;
    this.perRead = perRead;
    this.decoder = decoder;
    decoder.open();
  }

  @Override
  public void start() {}

  @Override
  public InputStatus pollNext(ReaderOutput<T> output) throws IOException {
    if (position == null) return assigned.isDone() ? InputStatus.END_OF_INPUT : InputStatus.NOTHING_AVAILABLE;
    if (position.left() == 0) return InputStatus.END_OF_INPUT;
    if (reply == null) {
      Measurement.startOnce();
      ask(position);
    }
    if (!reply.isDone()) return InputStatus.NOTHING_AVAILABLE;
    List<StreamMessage<String, byte[]>> entries = reply.join();
    if (entries.isEmpty()) throw new IOException(stream + " ends before all was read");
    RedisSplit next = new RedisSplit(entries.get(entries.size() - 1).getId(), position.left() - entries.size());
    if (next.left() > 0) ask(next);
    for (StreamMessage<String, byte[]> entry : entries) decoder.decode(entry.getBody().get(field), output);
    position = next;
    return next.left() > 0 ? InputStatus.MORE_AVAILABLE : InputStatus.END_OF_INPUT;
  }

  private void ask(RedisSplit from) {
    reply = server.after(stream, from.lastId(), Math.min(perRead, from.left()));
  }

  @Override
  public CompletableFuture<Void> isAvailable() {
    return reply == null ? assigned : reply.thenAccept(entries -> {});
  }

  @Override
  public void addSplits(List<RedisSplit> splits) {
    position = splits.get(0);
    assigned.complete(null);
  }

  @Override
  public void notifyNoMoreSplits() {
    assigned.complete(null);
  }

  @Override
  public List<RedisSplit> snapshotState(long checkpointId) {
    return position == null ? List.of() : List.of(position);
  }

  @Override
  public void notifyCheckpointComplete(long checkpointId) {
    Measurement.checkpointed();
  }

  @Override
  public void close() {}
}
