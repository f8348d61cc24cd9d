package millrace.bench;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamUtils;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.datastream.WindowedStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.windowing.assigners.WindowAssigner;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;

/**
 * Where a job reads from and how it is laid out.
 *
 * @param entries how many leading frames of the file, or entries of the stream, are read
 */
record Pipeline(StreamExecutionEnvironment env, Options options, int entries) {
  /** Frames that Millrace reads with one command while it is behind, at the least. */
  private static final int FRAMES_PER_READ = 16;
  /** The same of entries that hold one record. */
  private static final int RECORDS_PER_READ = 1024;

  /** Whether the form is the one that was chosen by hand. */
  boolean best() {
    return options.best();
  }

  /** All frames in their order: one split, as Millrace reads one partition. Queries with keys read so. Times never fall. */
  <T extends Flat<T>> DataStream<T> inOrder(Emitter<T> emitter, Class<T> type) {
    return inOrder(emitter, FlatType.forClass(type), WatermarkStrategy.forMonotonousTimestamps());
  }

  <T> DataStream<T> inOrder(Emitter<T> emitter, TypeInformation<T> type, WatermarkStrategy<T> watermarks) {
    return options.redis() == null
        ? frames(emitter, type, watermarks, 1)
        : stream("f", FRAMES_PER_READ, new FrameEntries<>(emitter), type, watermarks);
  }

  /** One split per slot. Queries without keys read so. */
  <T extends Flat<T>> DataStream<T> spread(Emitter<T> emitter, Class<T> type) {
    return frames(
        emitter, FlatType.forClass(type), WatermarkStrategy.forMonotonousTimestamps(), options.parallelism());
  }

  /** The entries of a stream that others have filled, one record in the field {@code data} of each. */
  <T> DataStream<T> records(EntryDecoder<T> decoder, TypeInformation<T> type, WatermarkStrategy<T> watermarks) {
    return stream("data", RECORDS_PER_READ, decoder, type, watermarks);
  }

  /** With the exchange that {@code keyBy} makes; in the best form and one slot without: all keys live there. */
  <T, K> KeyedStream<T, K> keyBy(DataStream<T> stream, KeySelector<T, K> key, TypeInformation<K> type) {
    return options.best() && options.parallelism() == 1
        ? DataStreamUtils.reinterpretAsKeyedStream(stream, key, type)
        : stream.keyBy(key, type);
  }

  /** With Flink's own trigger; in the best form with one that costs less. */
  <T, K> WindowedStream<T, K, TimeWindow> window(
      KeyedStream<T, K> stream, WindowAssigner<? super T, TimeWindow> assigner) {
    WindowedStream<T, K, TimeWindow> windows = stream.window(assigner);
    return options.best() ? windows.trigger(new FireAtEnd<>()) : windows;
  }

  <T extends ResultRow> void sink(DataStream<T> results) {
    boolean withLines = options.lines() != null;
    results.sinkTo(new ResultSink<T>(() -> new Checksum<>(withLines)));
  }

  private <T> DataStream<T> frames(
      Emitter<T> emitter, TypeInformation<T> type, WatermarkStrategy<T> watermarks, int splits) {
    return source(new FrameSource<>(options.file(), entries, emitter), type, watermarks, splits);
  }

  private <T> DataStream<T> stream(
      String field, int perRead, EntryDecoder<T> decoder, TypeInformation<T> type, WatermarkStrategy<T> watermarks) {
    return source(
        new RedisSource<>(options.redis(), options.stream(), field, perRead, entries, decoder), type, watermarks, 1);
  }

  private <T> DataStream<T> source(
      Source<T, ?, ?> source, TypeInformation<T> type, WatermarkStrategy<T> watermarks, int readers) {
    return env.fromSource(source, watermarks, "events", type).setParallelism(readers);
  }
}
