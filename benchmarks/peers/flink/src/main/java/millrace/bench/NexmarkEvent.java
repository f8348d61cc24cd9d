package millrace.bench;

/** The Nexmark events of benchmarks/nexmark/event.ts. */
final class NexmarkEvent {
  static final int PERSON = 0;
  static final int AUCTION = 1;
  static final int BID = 2;

  static final Schema SCHEMA =
      new Schema(
          "nexmark",
          Schema.Field.eventTime(1, "at"),
          Schema.Field.of(2, "kind", Schema.Type.I32),
          Schema.Field.nullable(3, "id", Schema.Type.I32),
          Schema.Field.nullable(4, "name", Schema.Type.STRING),
          Schema.Field.nullable(5, "email", Schema.Type.STRING),
          Schema.Field.nullable(6, "creditCard", Schema.Type.STRING),
          Schema.Field.nullable(7, "city", Schema.Type.STRING),
          Schema.Field.nullable(8, "state", Schema.Type.STRING),
          Schema.Field.nullable(9, "itemName", Schema.Type.STRING),
          Schema.Field.nullable(10, "description", Schema.Type.STRING),
          Schema.Field.nullable(11, "initialBid", Schema.Type.I32),
          Schema.Field.nullable(12, "reserve", Schema.Type.I32),
          Schema.Field.nullable(13, "expiresAfter", Schema.Type.I32),
          Schema.Field.nullable(14, "seller", Schema.Type.I32),
          Schema.Field.nullable(15, "category", Schema.Type.I32),
          Schema.Field.nullable(16, "auction", Schema.Type.I32),
          Schema.Field.nullable(17, "bidder", Schema.Type.I32),
          Schema.Field.nullable(18, "price", Schema.Type.I32),
          Schema.Field.nullable(19, "channel", Schema.Type.STRING),
          Schema.Field.nullable(20, "url", Schema.Type.STRING),
          Schema.Field.of(21, "extra", Schema.Type.STRING));

  private NexmarkEvent() {}
}
