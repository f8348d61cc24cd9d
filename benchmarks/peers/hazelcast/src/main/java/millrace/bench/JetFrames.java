package millrace.bench;

import com.hazelcast.function.SupplierEx;
import com.hazelcast.jet.Traverser;
import com.hazelcast.jet.core.AbstractProcessor;
import com.hazelcast.jet.core.BroadcastKey;
import com.hazelcast.jet.core.EventTimeMapper;
import com.hazelcast.jet.core.EventTimePolicy;
import com.hazelcast.jet.core.ProcessorMetaSupplier;
import com.hazelcast.jet.core.ProcessorSupplier;
import com.hazelcast.jet.pipeline.Sources;
import com.hazelcast.jet.pipeline.StreamSource;

/**
 * The source: the records of the leading frames of a file, with watermarks. Written as a processor because it ends, which a stream source
 * made by SourceBuilder does not.
 */
final class JetFrames<T> extends AbstractProcessor {
  private final FrameFile file;
  private final int frames;
  private final JetRecords<T> records;
  private final Traverser<Object> output;
  private int nextFrame = 0;
  private int nextRecord = 0;
  private int inFrame = 0;

  private JetFrames(String path, int frames, JetRecords<T> records, EventTimePolicy<? super T> policy) {
    this.file = FrameFile.open(path);
    this.frames = frames;
    this.records = records;
    EventTimeMapper<T> eventTime = new EventTimeMapper<>(policy);
    eventTime.addPartitions(1);
    Traverser<T> all = this::next;
    this.output = all.flatMap(record -> eventTime.flatMapEvent(record, 0, records.timeOf(record)));
  }

  static <T> StreamSource<T> source(String path, int frames, SupplierEx<JetRecords<T>> records) {
    return Sources.streamFromProcessorWithWatermarks(
        "frames",
        true,
        policy ->
            ProcessorMetaSupplier.forceTotalParallelismOne(
                ProcessorSupplier.of(() -> new JetFrames<>(path, frames, records.get(), policy))));
  }

  @Override
  public boolean complete() {
    return emitFromTraverser(output);
  }

  private T next() {
    for (; ; ) {
      while (nextRecord < inFrame) {
        T record = records.record(nextRecord++);
        if (record != null) return record;
      }
      if (nextFrame == frames) return null;
      Measurement.startOnce();
      records.decoder.decode(file.frame(nextFrame++));
      inFrame = records.decoder.records();
      nextRecord = 0;
    }
  }

  /** Its position. Nothing restores it here: a run that fails is over. */
  @Override
  public boolean saveToSnapshot() {
    return tryEmitToSnapshot(BroadcastKey.broadcastKey("next"), new int[] {nextFrame, nextRecord});
  }

  @Override
  public boolean snapshotCommitFinish(boolean success) {
    if (success) Measurement.checkpointed();
    return true;
  }
}
