package millrace.bench;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.windowing.WindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** T1: 10 s tumbling windows per device, count and average, minimum, maximum of four measures. */
final class T1 {
  static final long BOUND_MS = 1_000;
  private static final TypeInformation<Measure> TYPE = FlatType.forClass(Measure.class);
  private static final WatermarkStrategy<Measure> WATERMARKS =
      WatermarkStrategy.forBoundedOutOfOrderness(Duration.ofMillis(BOUND_MS));

  private T1() {}

  /** From frames. */
  static void define(Pipeline pipeline) {
    define(pipeline, pipeline.inOrder(new Measure.All(), TYPE, WATERMARKS));
  }

  /** From entries that are one event each. */
  static void defineJson(Pipeline pipeline) {
    define(pipeline, pipeline.records(new MeasureJson(), TYPE, WATERMARKS));
  }

  private static void define(Pipeline pipeline, DataStream<Measure> measures) {
    pipeline
        .window(
            pipeline.keyBy(measures, new Device(), Types.STRING),
            TumblingEventTimeWindows.of(Duration.ofSeconds(10)))
        .aggregate(new Stats.Of(), new Row(), FlatType.forClass(Stats.class), FlatType.forClass(DeviceWindow.class))
        .sinkTo(new ResultSink<>(Rows::new));
  }

  private static final class Device implements KeySelector<Measure, String> {
    private static final long serialVersionUID = 1;

    @Override
    public String getKey(Measure measure) {
      return measure.device;
    }
  }

  private static final class Row implements WindowFunction<Stats, DeviceWindow, String, TimeWindow> {
    private static final long serialVersionUID = 1;

    @Override
    public void apply(String device, TimeWindow window, Iterable<Stats> stats, Collector<DeviceWindow> out) {
      out.collect(DeviceWindow.of(device, window.getStart(), window.getEnd(), stats.iterator().next()));
    }
  }

  private static final class Rows implements ResultSink.Tally<DeviceWindow> {
    final List<DeviceWindow> rows = new ArrayList<>();

    @Override
    public void add(DeviceWindow row) {
      rows.add(row);
    }
  }

  /**
   * The rows that a run without an end would have by now: a bounded source ends with the highest watermark, which closes windows that
   * the records themselves had not closed yet. Sorted by window, then device.
   */
  static List<DeviceWindow> closedRows(List<ResultSink.Tally<?>> tallies, long maxTime) {
    List<DeviceWindow> rows = new ArrayList<>();
    for (ResultSink.Tally<?> tally : tallies) rows.addAll(((Rows) tally).rows);
    rows.removeIf(row -> row.end - 1 > maxTime - BOUND_MS - 1);
    rows.sort(Comparator.<DeviceWindow>comparingLong(row -> row.start).thenComparing(row -> row.device));
    return rows;
  }

  static String line(DeviceWindow row) {
    StringBuilder line = new StringBuilder(row.device).append(',').append(row.start);
    for (double value : row.values) line.append(',').append(SixDecimals.of(value));
    return line.toString();
  }

  /** As digestOf in benchmarks/t1/outcome.ts. */
  static String digest(List<DeviceWindow> rows) {
    try {
      MessageDigest hash = MessageDigest.getInstance("SHA-256");
      for (DeviceWindow row : rows) hash.update((line(row) + "\n").getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(hash.digest()).substring(0, 16);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
