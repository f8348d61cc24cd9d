package millrace.bench;

import java.io.IOException;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Result of T1: one window of one device. */
final class DeviceWindow implements Flat<DeviceWindow> {
  String device = "";
  long start;
  long end;
  /** Count, then average, minimum and maximum of each measure. */
  double[] values = new double[1 + Stats.FIELDS * 3];

  static DeviceWindow of(String device, long start, long end, Stats stats) {
    DeviceWindow row = new DeviceWindow();
    row.device = device;
    row.start = start;
    row.end = end;
    row.values = stats.values();
    return row;
  }

  @Override
  public DeviceWindow fresh() {
    return new DeviceWindow();
  }

  @Override
  public DeviceWindow copy() {
    return this; // nobody changes one
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    FlatText.write(device, out);
    out.writeLong(start);
    out.writeLong(end);
    for (double value : values) out.writeDouble(value);
  }

  @Override
  public void read(DataInputView in) throws IOException {
    device = FlatText.read(in);
    start = in.readLong();
    end = in.readLong();
    for (int i = 0; i < values.length; i++) values[i] = in.readDouble();
  }
}
