package millrace.bench;

import com.hazelcast.function.ToLongFunctionEx;
import com.hazelcast.jet.Traversers;
import com.hazelcast.jet.aggregate.AggregateOperation;
import com.hazelcast.jet.aggregate.AggregateOperation1;
import com.hazelcast.jet.aggregate.AggregateOperations;
import com.hazelcast.jet.datamodel.KeyedWindowResult;
import com.hazelcast.jet.pipeline.Pipeline;
import com.hazelcast.jet.pipeline.StreamStage;
import com.hazelcast.jet.pipeline.WindowDefinition;
import java.util.ArrayList;
import java.util.List;

/** Nexmark's q1, q5 and q7, as benchmarks/nexmark has them. */
final class JetNexmark {
  private static final double EUROS = 0.908;
  private static final long SIZE_MS = 10_000;
  private static final long SLIDE_MS = 2_000;

  private JetNexmark() {}

  /** q1: bids in another currency. */
  static Pipeline q1(String path, int frames) {
    Pipeline pipeline = Pipeline.create();
    bids(pipeline, path, frames)
        .map(
            bid -> {
              int hash = RowHash.add(JetChecksum.hash(bid.auction(), bid.bidder()), bid.price() * EUROS);
              return RowHash.add(hash, bid.at());
            })
        .setLocalParallelism(1)
        .writeTo(JetChecksum.sink());
    return pipeline;
  }

  /** q5: the auctions with the most bids in the last 10 s, every 2 s: Jet shares the counts of a slide among the windows. */
  static Pipeline q5(String path, int frames) {
    Pipeline pipeline = Pipeline.create();
    bids(pipeline, path, frames)
        .groupingKey(JetBid::auction)
        .window(WindowDefinition.sliding(SIZE_MS, SLIDE_MS))
        .aggregate(AggregateOperations.counting())
        .setLocalParallelism(1)
        .window(WindowDefinition.tumbling(SLIDE_MS))
        .aggregate(most(KeyedWindowResult::result))
        .setLocalParallelism(1)
        .flatMap(window -> Traversers.traverseIterable(window.result()))
        .map(auction -> JetChecksum.hash(auction.getKey(), auction.getValue(), auction.end()))
        .setLocalParallelism(1)
        .writeTo(JetChecksum.sink());
    return pipeline;
  }

  /** q7: the highest bids of every 10 s. */
  static Pipeline q7(String path, int frames) {
    Pipeline pipeline = Pipeline.create();
    bids(pipeline, path, frames)
        .window(WindowDefinition.tumbling(SIZE_MS))
        .aggregate(most(JetBid::price))
        .setLocalParallelism(1)
        .flatMap(window -> Traversers.traverseIterable(window.result()))
        .map(bid -> JetChecksum.hash(bid.auction(), bid.price(), bid.bidder(), bid.at()))
        .setLocalParallelism(1)
        .writeTo(JetChecksum.sink());
    return pipeline;
  }

  private static StreamStage<JetBid> bids(Pipeline pipeline, String path, int frames) {
    return pipeline
        .readFrom(JetFrames.source(path, frames, JetBid.All::new))
        .withNativeTimestamps(0)
        .setLocalParallelism(1);
  }

  /** All items with the highest number. Without a combining function they are looked at in one stage, not in two. */
  private static <T> AggregateOperation1<T, List<T>, List<T>> most(ToLongFunctionEx<T> number) {
    return AggregateOperation.<List<T>>withCreate(ArrayList::new)
        .<T>andAccumulate(
            (highest, item) -> {
              if (!highest.isEmpty()) {
                long gap = number.applyAsLong(item) - number.applyAsLong(highest.get(0));
                if (gap < 0) return;
                if (gap > 0) highest.clear();
              }
              highest.add(item);
            })
        .andExportFinish(highest -> highest);
  }
}
