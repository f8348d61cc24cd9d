package millrace.bench;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamUtils;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * Where a job reads from and how it is laid out.
 *
 * @param frames how many leading frames of the file are read
 * @param chained keyed operators run in the task of their input, without an exchange: right with one slot only
 * @param lines whether results are kept as text
 */
record Pipeline(StreamExecutionEnvironment env, String path, int frames, int parallelism, boolean chained, boolean lines) {
  /** All frames in their order: one split, as Millrace reads one partition. Queries with keys read so. */
  <T> DataStream<T> inOrder(Emitter<T> emitter, TypeInformation<T> type, WatermarkStrategy<T> watermarks) {
    return source(emitter, type, watermarks, 1);
  }

  /** One split per slot. Queries without keys read so. */
  <T> DataStream<T> spread(Emitter<T> emitter, TypeInformation<T> type, WatermarkStrategy<T> watermarks) {
    return source(emitter, type, watermarks, parallelism);
  }

  <T, K> KeyedStream<T, K> keyBy(DataStream<T> stream, KeySelector<T, K> key, TypeInformation<K> type) {
    return chained ? DataStreamUtils.reinterpretAsKeyedStream(stream, key, type) : stream.keyBy(key, type);
  }

  <T extends ResultRow> void sink(DataStream<T> results) {
    boolean withLines = lines;
    results.sinkTo(new ResultSink<T>(() -> new Checksum<>(withLines)));
  }

  private <T> DataStream<T> source(
      Emitter<T> emitter, TypeInformation<T> type, WatermarkStrategy<T> watermarks, int splits) {
    return env.fromSource(new FrameSource<>(path, frames, emitter), watermarks, "frames", type).setParallelism(splits);
  }
}
