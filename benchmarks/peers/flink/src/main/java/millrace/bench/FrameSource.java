package millrace.bench;

import java.util.List;
import java.util.stream.IntStream;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** The leading frames of a {@link FrameFile}, one split per subtask of the source. */
final class FrameSource<T> extends BoundedSource<T, FrameSplit> {
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
  public SourceReader<T, FrameSplit> createReader(SourceReaderContext context) {
    return new FrameReader<>(FrameFile.open(path), frames, emitter);
  }

  @Override
  List<FrameSplit> splits(int readers) {
    return IntStream.range(0, readers).mapToObj(i -> new FrameSplit(i, readers, i)).toList();
  }

  @Override
  public SimpleVersionedSerializer<FrameSplit> getSplitSerializer() {
    return new FrameSplit.Serializer();
  }
}
