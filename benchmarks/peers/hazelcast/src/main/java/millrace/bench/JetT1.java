package millrace.bench;

import com.hazelcast.jet.aggregate.AggregateOperation;
import com.hazelcast.jet.datamodel.KeyedWindowResult;
import com.hazelcast.jet.pipeline.Pipeline;
import com.hazelcast.jet.pipeline.Sink;
import com.hazelcast.jet.pipeline.SinkBuilder;
import com.hazelcast.jet.pipeline.WindowDefinition;
import java.util.ArrayList;
import java.util.List;

/** T1: 10 s tumbling windows per device, count and average, minimum, maximum of four measures. */
final class JetT1 {
  private static final long WINDOW_MS = 10_000;
  private static final long BOUND_MS = 1_000;

  /** Of the run that is under way; its one sink adds to them. */
  static final List<KeyedWindowResult<String, double[]>> ROWS = new ArrayList<>();

  private JetT1() {}

  static Pipeline pipeline(String path, int frames) {
    Pipeline pipeline = Pipeline.create();
    pipeline
        .readFrom(JetFrames.source(path, frames, JetMeasure.All::new))
        .withNativeTimestamps(BOUND_MS)
        .setLocalParallelism(1)
        .groupingKey(JetMeasure::device)
        .window(WindowDefinition.tumbling(WINDOW_MS))
        // Without a combining function records are summed up in one stage, not in two.
        .aggregate(
            AggregateOperation.withCreate(JetStats::new)
                .andAccumulate((JetStats stats, JetMeasure measure) -> stats.add(measure))
                .andExportFinish(JetStats::values))
        .setLocalParallelism(1)
        .writeTo(rows());
    return pipeline;
  }

  private static Sink<KeyedWindowResult<String, double[]>> rows() {
    return SinkBuilder.sinkBuilder("rows", context -> ROWS)
        .<KeyedWindowResult<String, double[]>>receiveFn(List::add)
        .build();
  }

  /** Device, start, count, then average, minimum and maximum of each measure. */
  static String line(KeyedWindowResult<String, double[]> row) {
    StringBuilder line = new StringBuilder(row.getKey()).append(',').append(row.start());
    for (double value : row.getValue()) line.append(',').append(value);
    return line.toString();
  }
}
