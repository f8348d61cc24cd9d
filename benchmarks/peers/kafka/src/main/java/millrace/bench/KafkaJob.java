package millrace.bench;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;

/** T1 as an application of Kafka Streams, with an id and so with a changelog of its own; README.md says why it is set so. */
final class KafkaJob implements AutoCloseable {
  private final CompletableFuture<Void> allRead = new CompletableFuture<>();
  private final KafkaStreams streams;

  /** @param frames how many of the leading ones are read */
  KafkaJob(String id, KafkaForm form, String bootstrap, String stateFolder, int frames, List<KafkaRow> rows) {
    Topology topology =
        new Topology()
            .addSource("topic", new ByteArrayDeserializer(), new ByteArrayDeserializer(), KafkaTopic.NAME)
            .addProcessor("frames", () -> new KafkaFrames(frames, () -> allRead.complete(null)), "topic")
            .addProcessor("per-device", () -> new KafkaWindows(form), "frames")
            .addStateStore(form.store(), "per-device")
            .addProcessor("rows", () -> new Rows(rows), "per-device");
    Properties settings = new Properties();
    settings.putAll(settingsOf(id, bootstrap, stateFolder));
    streams = new KafkaStreams(topology, settings);
  }

  /** Runs until the last frame has been worked on; {@code started} is called before the first one is asked for. */
  void run(Runnable started) throws Exception {
    streams.setStateListener(
        (now, before) -> {
          if (now == KafkaStreams.State.RUNNING) started.run();
        });
    streams.setUncaughtExceptionHandler(
        failure -> {
          allRead.completeExceptionally(failure);
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    streams.start();
    allRead.get();
  }

  /** Ends the application, with a last commit. */
  @Override
  public void close() {
    streams.close();
  }

  private static Map<String, Object> settingsOf(String id, String bootstrap, String stateFolder) {
    Map<String, Object> settings = new HashMap<>();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, id);
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, stateFolder);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1_000);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    settings.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 << 20);
    settings.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.CHECK_CRCS_CONFIG), false);
    settings.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.RECEIVE_BUFFER_CONFIG), 1 << 20);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
    settings.put(StreamsConfig.ENABLE_METRICS_PUSH_CONFIG, false);
    return settings;
  }

  private static final class Rows extends ContextualProcessor<String, KafkaRow, Void, Void> {
    private final List<KafkaRow> rows;

    Rows(List<KafkaRow> rows) {
      this.rows = rows;
    }

    @Override
    public void process(Record<String, KafkaRow> record) {
      rows.add(record.value());
    }
  }
}
