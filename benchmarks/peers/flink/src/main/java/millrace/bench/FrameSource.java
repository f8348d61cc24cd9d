package millrace.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** The leading frames of a {@link FrameFile}, one split per subtask of the source; bounded. */
final class FrameSource<T> implements Source<T, FrameSplit, List<FrameSplit>> {
  private static final long serialVersionUID = 1;

  private final String path;
  private final int frames;
  private final Emitter<T> emitter;

  FrameSource(String path, int frames, Emitter<T> emitter) {
    this.path = path;
    this.frames = frames;
    this.emitter = emitter;
  }

  @Override
  public Boundedness getBoundedness() {
    return Boundedness.BOUNDED;
  }

  @Override
  public SourceReader<T, FrameSplit> createReader(SourceReaderContext context) {
    return new FrameReader<>(FrameFile.open(path), frames, emitter);
  }

  @Override
  public SplitEnumerator<FrameSplit, List<FrameSplit>> createEnumerator(SplitEnumeratorContext<FrameSplit> context) {
    int splits = context.currentParallelism();
    List<FrameSplit> all = new ArrayList<>();
    for (int i = 0; i < splits; i++) all.add(new FrameSplit(i, splits, i));
    return new Enumerator(context, all);
  }

  @Override
  public SplitEnumerator<FrameSplit, List<FrameSplit>> restoreEnumerator(
      SplitEnumeratorContext<FrameSplit> context, List<FrameSplit> pending) {
    return new Enumerator(context, pending);
  }

  @Override
  public SimpleVersionedSerializer<FrameSplit> getSplitSerializer() {
    return new FrameSplit.Serializer();
  }

  @Override
  public SimpleVersionedSerializer<List<FrameSplit>> getEnumeratorCheckpointSerializer() {
    return new PendingSerializer();
  }

  /** Gives every reader the split of its own index, once. */
  private static final class Enumerator implements SplitEnumerator<FrameSplit, List<FrameSplit>> {
    private final SplitEnumeratorContext<FrameSplit> context;
    private final List<FrameSplit> pending;

    Enumerator(SplitEnumeratorContext<FrameSplit> context, Collection<FrameSplit> pending) {
      this.context = context;
      this.pending = new ArrayList<>(pending);
    }

    @Override
    public void start() {}

    @Override
    public void addReader(int subtask) {
      for (FrameSplit split : List.copyOf(pending)) {
        if (split.index() != subtask) continue;
        pending.remove(split);
        context.assignSplit(split, subtask);
      }
      context.signalNoMoreSplits(subtask);
    }

    @Override
    public void handleSplitRequest(int subtask, String host) {}

    @Override
    public void addSplitsBack(List<FrameSplit> splits, int subtask) {
      pending.addAll(splits);
    }

    @Override
    public List<FrameSplit> snapshotState(long checkpointId) {
      return List.copyOf(pending);
    }

    @Override
    public void close() {}
  }

  private static final class PendingSerializer implements SimpleVersionedSerializer<List<FrameSplit>> {
    private static final int SPLIT_BYTES = 12;
    private final FrameSplit.Serializer one = new FrameSplit.Serializer();

    @Override
    public int getVersion() {
      return 1;
    }

    @Override
    public byte[] serialize(List<FrameSplit> splits) {
      ByteBuffer buffer = ByteBuffer.allocate(splits.size() * SPLIT_BYTES);
      for (FrameSplit split : splits) buffer.put(one.serialize(split));
      return buffer.array();
    }

    @Override
    public List<FrameSplit> deserialize(int version, byte[] bytes) throws IOException {
      List<FrameSplit> splits = new ArrayList<>();
      ByteBuffer buffer = ByteBuffer.wrap(bytes);
      while (buffer.hasRemaining()) {
        byte[] split = new byte[SPLIT_BYTES];
        buffer.get(split);
        splits.add(one.deserialize(version, split));
      }
      return splits;
    }
  }
}
