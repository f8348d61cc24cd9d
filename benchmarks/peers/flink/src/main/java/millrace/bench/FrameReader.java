package millrace.bench;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.core.io.InputStatus;

/**
 * Reads the frames of one split. A poll emits a whole frame: the loop around it, with its look at the mailbox and at the output, is then
 * paid once per frame and not once per record, and barriers fall between frames, as they do in Millrace.
 */
final class FrameReader<T> implements SourceReader<T, FrameSplit> {
  private final FrameFile file;
  private final int frames;
  private final Emitter<T> emitter;
  private final FrameDecoder decoder;
  private final CompletableFuture<Void> assigned = new CompletableFuture<>();
  private FrameSplit split;
  private int next;

  FrameReader(FrameFile file, int frames, Emitter<T> emitter) {
    this.file = file;
    this.frames = frames;
    this.emitter = emitter;
    this.decoder = emitter.open();
  }

  @Override
  public void start() {}

  @Override
  public InputStatus pollNext(ReaderOutput<T> output) {
    if (split == null) return assigned.isDone() ? InputStatus.END_OF_INPUT : InputStatus.NOTHING_AVAILABLE;
    if (next >= frames) return InputStatus.END_OF_INPUT;
    Measurement.startOnce();
    decoder.decode(file.frame(next));
    next += split.stride();
    emitter.emit(decoder.records(), output);
    return InputStatus.MORE_AVAILABLE;
  }

  @Override
  public CompletableFuture<Void> isAvailable() {
    return assigned;
  }

  @Override
  public void addSplits(List<FrameSplit> splits) {
    split = splits.get(0);
    next = split.next();
    assigned.complete(null);
  }

  @Override
  public void notifyNoMoreSplits() {
    assigned.complete(null);
  }

  @Override
  public List<FrameSplit> snapshotState(long checkpointId) {
    return split == null ? List.of() : List.of(new FrameSplit(split.index(), split.stride(), next));
  }

  @Override
  public void notifyCheckpointComplete(long checkpointId) {
    Measurement.checkpointed();
  }

  @Override
  public void close() {}
}
