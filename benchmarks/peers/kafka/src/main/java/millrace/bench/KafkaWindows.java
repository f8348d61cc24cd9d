package millrace.bench;

import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;

/**
 * 10 s tumbling windows per device. A window is given once, when the latest event time is the bound past its end. Windows are objects;
 * what keeps them is read only when a task starts.
 */
final class KafkaWindows implements Processor<String, KafkaMeasure, String, KafkaRow> {
  private static final long SIZE_MS = 10_000;
  private static final long BOUND_MS = 1_000;

  /** Start → device → window. */
  private final TreeMap<Long, Map<String, KafkaStats>> open = new TreeMap<>();

  private final KafkaForm form;
  private ProcessorContext<String, KafkaRow> context;
  private KafkaKeeper keeper;
  /** Of the windows that the record before fell into. */
  private long start = Long.MIN_VALUE;
  private Map<String, KafkaStats> devices = Map.of();
  private long latest = Long.MIN_VALUE;
  /** When {@link #latest} closes the earliest open windows. */
  private long closingTime = Long.MAX_VALUE;

  KafkaWindows(KafkaForm form) {
    this.form = form;
  }

  @Override
  public void init(ProcessorContext<String, KafkaRow> context) {
    this.context = context;
    this.keeper = form.keeperOf(context);
    this.latest = context.currentStreamTimeMs();
    try (KeyValueIterator<Bytes, byte[]> entries = keeper.all()) {
      while (entries.hasNext()) {
        KeyValue<Bytes, byte[]> entry = entries.next();
        String device = KafkaStats.deviceOf(entry.key);
        windowsAt(KafkaStats.startOf(entry.key)).put(device, new KafkaStats(entry.key, entry.value));
      }
    }
  }

  @Override
  public void process(Record<String, KafkaMeasure> record) {
    long time = record.timestamp();
    if (time < start || time >= start + SIZE_MS) {
      long at = time - Math.floorMod(time, SIZE_MS);
      if (at + SIZE_MS <= latest - BOUND_MS) return; // late
      devices = windowsAt(at);
      start = at;
    }
    String device = record.key();
    KafkaStats stats = devices.get(device);
    if (stats == null) {
      stats = new KafkaStats(device, start);
      devices.put(device, stats);
    }
    stats.add(record.value());
    keeper.changed(stats);
    if (time <= latest) return;
    latest = time;
    while (latest >= closingTime) close(open.firstKey());
  }

  private Map<String, KafkaStats> windowsAt(long at) {
    Map<String, KafkaStats> windows = open.computeIfAbsent(at, unused -> new HashMap<>());
    closingTime = open.firstKey() + SIZE_MS + BOUND_MS;
    return windows;
  }

  private void close(long at) {
    for (Map.Entry<String, KafkaStats> window : open.remove(at).entrySet()) {
      KafkaStats stats = window.getValue();
      KafkaRow row = new KafkaRow(window.getKey(), at, stats.values());
      context.forward(new Record<>(row.device(), row, at + SIZE_MS - 1));
      keeper.closed(stats);
    }
    closingTime = open.isEmpty() ? Long.MAX_VALUE : open.firstKey() + SIZE_MS + BOUND_MS;
    if (at == start) start = Long.MIN_VALUE;
  }
}
