package millrace.bench;

import com.hazelcast.jet.pipeline.Sink;
import com.hazelcast.jet.pipeline.SinkBuilder;

/** Rows of Nexmark, and the sum of their hashes, of the run that is under way; its one sink adds to them. */
final class JetChecksum {
  static long rows = 0;
  static int sum = 0;

  private JetChecksum() {}

  static void clear() {
    rows = 0;
    sum = 0;
  }

  /** Takes hashes of rows. */
  static Sink<Integer> sink() {
    return SinkBuilder.sinkBuilder("checksum", context -> JetChecksum.class)
        .<Integer>receiveFn(
            (all, hash) -> {
              rows++;
              sum += hash;
            })
        .build();
  }

  static int hash(long... values) {
    int hash = 0;
    for (long value : values) hash = RowHash.add(hash, value);
    return hash;
  }
}
