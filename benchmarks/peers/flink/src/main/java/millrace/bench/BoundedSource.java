package millrace.bench;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** A source that ends, whose readers know from the start what each of them reads. */
abstract class BoundedSource<T, S extends OwnSplit> implements Source<T, S, List<S>> {
  private static final long serialVersionUID = 1;

  /** All splits for so many readers. */
  abstract List<S> splits(int readers);

  @Override
  public final Boundedness getBoundedness() {
    return Boundedness.BOUNDED;
  }

  @Override
  public final SplitEnumerator<S, List<S>> createEnumerator(SplitEnumeratorContext<S> context) {
    return new Enumerator<>(context, splits(context.currentParallelism()));
  }

  @Override
  public final SplitEnumerator<S, List<S>> restoreEnumerator(SplitEnumeratorContext<S> context, List<S> pending) {
    return new Enumerator<>(context, pending);
  }

  @Override
  public final SimpleVersionedSerializer<List<S>> getEnumeratorCheckpointSerializer() {
    return new PendingSerializer<>(getSplitSerializer());
  }

  /** Gives every reader the split of its own index, once. */
  private static final class Enumerator<S extends OwnSplit> implements SplitEnumerator<S, List<S>> {
    private final SplitEnumeratorContext<S> context;
    private final List<S> pending;

    Enumerator(SplitEnumeratorContext<S> context, Collection<S> pending) {
      this.context = context;
      this.pending = new ArrayList<>(pending);
    }

    @Override
    public void start() {}

    @Override
    public void addReader(int subtask) {
      for (S split : List.copyOf(pending)) {
        if (split.index() != subtask) continue;
        pending.remove(split);
        context.assignSplit(split, subtask);
      }
      context.signalNoMoreSplits(subtask);
    }

    @Override
    public void handleSplitRequest(int subtask, String host) {}

    @Override
    public void addSplitsBack(List<S> splits, int subtask) {
      pending.addAll(splits);
    }

    @Override
    public List<S> snapshotState(long checkpointId) {
      return List.copyOf(pending);
    }

    @Override
    public void close() {}
  }

  private static final class PendingSerializer<S> implements SimpleVersionedSerializer<List<S>> {
    private final SimpleVersionedSerializer<S> one;

    PendingSerializer(SimpleVersionedSerializer<S> one) {
      this.one = one;
    }

    @Override
    public int getVersion() {
      return one.getVersion();
    }

    @Override
    public byte[] serialize(List<S> splits) throws IOException {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      DataOutputStream out = new DataOutputStream(bytes);
      for (S split : splits) {
        byte[] each = one.serialize(split);
        out.writeInt(each.length);
        out.write(each);
      }
      return bytes.toByteArray();
    }

    @Override
    public List<S> deserialize(int version, byte[] bytes) throws IOException {
      List<S> splits = new ArrayList<>();
      ByteBuffer buffer = ByteBuffer.wrap(bytes);
      while (buffer.hasRemaining()) {
        byte[] each = new byte[buffer.getInt()];
        buffer.get(each);
        splits.add(one.deserialize(version, each));
      }
      return splits;
    }
  }
}
