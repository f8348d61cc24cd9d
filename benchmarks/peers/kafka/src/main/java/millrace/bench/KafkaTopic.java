package millrace.bench;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The topic that events are read from: one partition, one frame per record, whose timestamp is the latest event time in it. */
final class KafkaTopic {
  static final String NAME = "frames";
  private static final int MAX_TIME_AT = 40;

  private KafkaTopic() {}

  static void fill(String bootstrap, FrameFile file) throws ExecutionException, InterruptedException {
    try (Admin admin = Admin.create(Map.of(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap))) {
      admin.createTopics(List.of(new NewTopic(NAME, 1, (short) 1))).all().get();
    }
    Map<String, Object> settings =
        Map.of(
            ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap,
            ProducerConfig.BATCH_SIZE_CONFIG, 512 << 10,
            ProducerConfig.LINGER_MS_CONFIG, 20);
    ByteArraySerializer bytes = new ByteArraySerializer();
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings, bytes, bytes)) {
      Future<RecordMetadata> last = null;
      for (int i = 0; i < file.frames(); i++) {
        ByteBuffer frame = file.frame(i);
        byte[] value = new byte[frame.remaining()];
        frame.get(0, value);
        long time = (long) frame.getDouble(MAX_TIME_AT);
        last = producer.send(new ProducerRecord<>(NAME, 0, time, null, value));
      }
      if (last != null) last.get();
    }
  }
}
