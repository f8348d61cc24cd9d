package millrace.bench;

import java.io.IOException;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** One record of T1: four measures of one device. */
final class Measure implements Flat<Measure> {
  static final Schema SCHEMA =
      new Schema(
          "t1",
          Schema.Field.eventTime(1, "ts"),
          Schema.Field.of(2, "device", Schema.Type.STRING),
          Schema.Field.of(3, "temperature", Schema.Type.F64),
          Schema.Field.of(4, "humidity", Schema.Type.F64),
          Schema.Field.of(5, "pressure", Schema.Type.F64),
          Schema.Field.of(6, "battery", Schema.Type.F64));

  String device = "";
  double temperature;
  double humidity;
  double pressure;
  double battery;

  @Override
  public Measure fresh() {
    return new Measure();
  }

  @Override
  public Measure copy() {
    Measure copy = new Measure();
    copy.device = device;
    copy.temperature = temperature;
    copy.humidity = humidity;
    copy.pressure = pressure;
    copy.battery = battery;
    return copy;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    FlatText.write(device, out);
    out.writeDouble(temperature);
    out.writeDouble(humidity);
    out.writeDouble(pressure);
    out.writeDouble(battery);
  }

  @Override
  public void read(DataInputView in) throws IOException {
    device = FlatText.read(in);
    temperature = in.readDouble();
    humidity = in.readDouble();
    pressure = in.readDouble();
    battery = in.readDouble();
  }

  /** All records of a frame. */
  static final class All implements Emitter<Measure> {
    private static final long serialVersionUID = 1;

    private transient FrameDecoder.Column ts;
    private transient FrameDecoder.Column device;
    private transient FrameDecoder.Column temperature;
    private transient FrameDecoder.Column humidity;
    private transient FrameDecoder.Column pressure;
    private transient FrameDecoder.Column battery;
    private transient Measure measure;

    @Override
    public FrameDecoder open() {
      FrameDecoder decoder =
          new FrameDecoder(SCHEMA, "ts", "device", "temperature", "humidity", "pressure", "battery");
      ts = decoder.column("ts");
      device = decoder.column("device");
      temperature = decoder.column("temperature");
      humidity = decoder.column("humidity");
      pressure = decoder.column("pressure");
      battery = decoder.column("battery");
      measure = new Measure();
      return decoder;
    }

    @Override
    public void emit(int records, SourceOutput<Measure> output) {
      for (int i = 0; i < records; i++) {
        measure.device = device.texts[device.codes[i]];
        measure.temperature = temperature.doubles[i];
        measure.humidity = humidity.doubles[i];
        measure.pressure = pressure.doubles[i];
        measure.battery = battery.doubles[i];
        output.collect(measure, ts.times[i]);
      }
    }
  }
}
