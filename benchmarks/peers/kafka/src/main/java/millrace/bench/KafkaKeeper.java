package millrace.bench;

import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/** Keeps open windows in the changelog, for a task that goes on where this one has ended. */
interface KafkaKeeper {
  String STORE = "windows";

  /** What the task before has kept. */
  KeyValueIterator<Bytes, byte[]> all();

  void changed(KafkaStats stats);

  void closed(KafkaStats stats);

  /** A store in memory with a changelog. */
  static StoreBuilder<KeyValueStore<Bytes, byte[]>> logged() {
    return Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(STORE), Serdes.Bytes(), Serdes.ByteArray());
  }

  /** Puts each change into a store. */
  record Putting(KeyValueStore<Bytes, byte[]> store) implements KafkaKeeper {
    @Override
    public KeyValueIterator<Bytes, byte[]> all() {
      return store.all();
    }

    @Override
    public void changed(KafkaStats stats) {
      store.put(stats.key, stats.bytes());
    }

    @Override
    public void closed(KafkaStats stats) {
      store.put(stats.key, null);
    }
  }
}
