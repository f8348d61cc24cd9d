package millrace.bench;

/** One record of T1. The object is used again for the next one. */
final class KafkaMeasure {
  static final Schema SCHEMA =
      new Schema(
          "t1",
          Schema.Field.eventTime(1, "ts"),
          Schema.Field.of(2, "device", Schema.Type.STRING),
          Schema.Field.of(3, "temperature", Schema.Type.F64),
          Schema.Field.of(4, "humidity", Schema.Type.F64),
          Schema.Field.of(5, "pressure", Schema.Type.F64),
          Schema.Field.of(6, "battery", Schema.Type.F64));

  double temperature;
  double humidity;
  double pressure;
  double battery;
}
