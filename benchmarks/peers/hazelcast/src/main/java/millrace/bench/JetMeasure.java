package millrace.bench;

/** One record of T1. */
record JetMeasure(String device, long at, double temperature, double humidity, double pressure, double battery) {
  static final class All extends JetRecords<JetMeasure> {
    private static final Schema SCHEMA =
        new Schema(
            "t1",
            Schema.Field.eventTime(1, "ts"),
            Schema.Field.of(2, "device", Schema.Type.STRING),
            Schema.Field.of(3, "temperature", Schema.Type.F64),
            Schema.Field.of(4, "humidity", Schema.Type.F64),
            Schema.Field.of(5, "pressure", Schema.Type.F64),
            Schema.Field.of(6, "battery", Schema.Type.F64));

    private final FrameDecoder.Column ts = decoder.column("ts");
    private final FrameDecoder.Column device = decoder.column("device");
    private final FrameDecoder.Column temperature = decoder.column("temperature");
    private final FrameDecoder.Column humidity = decoder.column("humidity");
    private final FrameDecoder.Column pressure = decoder.column("pressure");
    private final FrameDecoder.Column battery = decoder.column("battery");

    All() {
      super(new FrameDecoder(SCHEMA, "ts", "device", "temperature", "humidity", "pressure", "battery"));
    }

    @Override
    JetMeasure record(int i) {
      return new JetMeasure(
          device.texts[device.codes[i]],
          ts.times[i],
          temperature.doubles[i],
          humidity.doubles[i],
          pressure.doubles[i],
          battery.doubles[i]);
    }

    @Override
    long timeOf(JetMeasure measure) {
      return measure.at;
    }
  }
}
