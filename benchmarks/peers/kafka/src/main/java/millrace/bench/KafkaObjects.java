package millrace.bench;

import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.processor.StateStoreContext;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.internals.AbstractStoreBuilder;
import org.apache.kafka.streams.state.internals.CacheFlushListener;
import org.apache.kafka.streams.state.internals.CachedStateStore;

/**
 * A store whose cache is the window objects themselves: those that have changed are put into the changelog when the task commits, once
 * each. {@code CachedStateStore} is not public; a public store hears of a commit only after it, too late for the transaction.
 */
final class KafkaObjects implements StateStore, CachedStateStore<Bytes, byte[]>, KafkaKeeper {
  private final KeyValueStore<Bytes, byte[]> inner = KafkaKeeper.logged().build();
  private final List<KafkaStats> changed = new ArrayList<>();

  static final class Builder extends AbstractStoreBuilder<Bytes, byte[], KafkaObjects> {
    Builder() {
      super(STORE, Serdes.Bytes(), Serdes.ByteArray(), Time.SYSTEM);
    }

    @Override
    public KafkaObjects build() {
      return new KafkaObjects();
    }
  }

  @Override
  public KeyValueIterator<Bytes, byte[]> all() {
    return inner.all();
  }

  @Override
  public void changed(KafkaStats stats) {
    if (stats.changed) return;
    stats.changed = true;
    changed.add(stats);
  }

  @Override
  public void closed(KafkaStats stats) {
    stats.closed = true;
    changed(stats);
  }

  @Override
  public void flushCache() {
    for (KafkaStats stats : changed) {
      stats.changed = false;
      // A window that has opened and closed since the last commit leaves no trace.
      if (!stats.closed) inner.put(stats.key, stats.bytes());
      else if (stats.kept) inner.put(stats.key, null);
      stats.kept = true;
    }
    changed.clear();
  }

  @Override
  public void clearCache() {
    changed.clear();
  }

  @Override
  public boolean setFlushListener(CacheFlushListener<Bytes, byte[]> listener, boolean sendOldValues) {
    return false;
  }

  @Override
  public String name() {
    return STORE;
  }

  @Override
  public void init(StateStoreContext context, StateStore root) {
    inner.init(context, root);
  }

  @Override
  public void close() {
    inner.close();
  }

  @Override
  public boolean persistent() {
    return false;
  }

  @Override
  public boolean isOpen() {
    return inner.isOpen();
  }
}
