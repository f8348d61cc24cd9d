package millrace.bench;

import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.api.common.functions.FilterFunction;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.util.Collector;

/**
 * Further queries without state: q13 adds a value from a table, q14 calculates, q21 finds the ids of channels, q22 takes addresses
 * apart.
 */
final class FullBidQueries {
  private static final FlatType<Values> VALUES = FlatType.forClass(Values.class);

  private FullBidQueries() {}

  static void q13(Pipeline pipeline) {
    pipeline.sink(pipeline.spread(new Bid.All(), Bid.class).map(new SideInput()).returns(VALUES));
  }

  static void q14(Pipeline pipeline) {
    pipeline.sink(bids(pipeline, "extra").filter(new Middling()).map(new Calculation()).returns(VALUES));
  }

  static void q21(Pipeline pipeline) {
    pipeline.sink(bids(pipeline, "channel", "url").flatMap(new ChannelId()).returns(VALUES));
  }

  static void q22(Pipeline pipeline) {
    pipeline.sink(bids(pipeline, "channel", "url").map(new Folders()).returns(VALUES));
  }

  private static DataStream<FullBid> bids(Pipeline pipeline, String... texts) {
    return pipeline.spread(new FullBid.With(texts), FullBid.class);
  }

  private static final class SideInput extends RichMapFunction<Bid, Values> {
    private static final long serialVersionUID = 1;
    private static final int ROWS = 10_000;

    private transient Map<Integer, Long> table;

    @Override
    public void open(OpenContext context) {
      table = new HashMap<>();
      for (int key = 0; key < ROWS; key++) table.put(key, Integer.toUnsignedLong(RowHash.mix(key)));
    }

    @Override
    public Values map(Bid bid) {
      return Values.of(bid.auction, bid.bidder, bid.price, bid.at, table.get(bid.auction % ROWS));
    }
  }

  private static double converted(int price) {
    return price * 0.908;
  }

  private static final class Middling implements FilterFunction<FullBid> {
    private static final long serialVersionUID = 1;

    @Override
    public boolean filter(FullBid bid) {
      return converted(bid.price) > 1_000_000 && converted(bid.price) < 50_000_000;
    }
  }

  private static final class Calculation implements MapFunction<FullBid, Values> {
    private static final long serialVersionUID = 1;
    private static final long HOUR_MS = 3_600_000;

    @Override
    public Values map(FullBid bid) {
      int letters = 0;
      for (int i = 0; i < bid.extra.length(); i++) if (bid.extra.charAt(i) == 'c') letters++;
      return Values.of(bid.auction, bid.bidder, converted(bid.price), bid.at, letters)
          .with(timeOfDay(bid.at))
          .decimalAt(2);
    }

    private static String timeOfDay(long at) {
      long hour = at / HOUR_MS % 24;
      if (hour >= 8 && hour <= 18) return "dayTime";
      return hour <= 6 || hour >= 20 ? "nightTime" : "otherTime";
    }
  }

  private static final class ChannelId implements FlatMapFunction<FullBid, Values> {
    private static final long serialVersionUID = 1;
    private static final Map<String, Long> KNOWN = Map.of("apple", 0L, "google", 1L, "facebook", 2L, "baidu", 3L);
    private static final Pattern IN_URL = Pattern.compile("(?:&|^)channel_id=([^&]*)");

    @Override
    public void flatMap(FullBid bid, Collector<Values> out) {
      Long id = KNOWN.get(bid.channel.toLowerCase());
      if (id == null) {
        Matcher found = IN_URL.matcher(bid.url);
        if (!found.find()) return;
        id = Long.valueOf(found.group(1));
      }
      out.collect(Values.of(bid.auction, bid.bidder, bid.price, id).with(bid.channel));
    }
  }

  private static final class Folders implements MapFunction<FullBid, Values> {
    private static final long serialVersionUID = 1;

    @Override
    public Values map(FullBid bid) {
      String[] parts = bid.url.split("/");
      return Values.of(bid.auction, bid.bidder, bid.price).with(bid.channel, parts[3], parts[4], parts[5]);
    }
  }
}
