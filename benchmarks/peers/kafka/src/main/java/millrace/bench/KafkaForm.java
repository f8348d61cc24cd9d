package millrace.bench;

import java.util.Map;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;

/** How open windows are kept. README.md says what differs. */
enum KafkaForm {
  /** By the public interface: in a store with a cache, which puts into the changelog what has changed since the last commit. */
  ORDINARY {
    @Override
    StoreBuilder<?> store() {
      return KafkaKeeper.logged().withLoggingEnabled(Map.of()).withCachingEnabled();
    }

    @Override
    KafkaKeeper keeperOf(ProcessorContext<?, ?> context) {
      KeyValueStore<Bytes, byte[]> store = context.getStateStore(KafkaKeeper.STORE);
      return new KafkaKeeper.Putting(store);
    }
  },

  BEST {
    @Override
    StoreBuilder<?> store() {
      return new KafkaObjects.Builder();
    }

    @Override
    KafkaKeeper keeperOf(ProcessorContext<?, ?> context) {
      return context.<KafkaObjects>getStateStore(KafkaKeeper.STORE);
    }
  };

  abstract StoreBuilder<?> store();

  abstract KafkaKeeper keeperOf(ProcessorContext<?, ?> context);
}
