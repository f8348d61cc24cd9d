package millrace.bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.utils.Bytes;

/** An open window of one device: count, and sum, minimum and maximum of four measures. */
final class KafkaStats {
  private static final int BYTES = 13 * 8;

  /** In the store: when the window starts, then the device. */
  final Bytes key;
  /** Since it was put there last. */
  boolean changed = false;
  boolean closed = false;
  /** Whether it is there. */
  boolean kept = false;

  private long n = 0;
  private double temperatureSum = 0;
  private double temperatureMin = Double.POSITIVE_INFINITY;
  private double temperatureMax = Double.NEGATIVE_INFINITY;
  private double humiditySum = 0;
  private double humidityMin = Double.POSITIVE_INFINITY;
  private double humidityMax = Double.NEGATIVE_INFINITY;
  private double pressureSum = 0;
  private double pressureMin = Double.POSITIVE_INFINITY;
  private double pressureMax = Double.NEGATIVE_INFINITY;
  private double batterySum = 0;
  private double batteryMin = Double.POSITIVE_INFINITY;
  private double batteryMax = Double.NEGATIVE_INFINITY;

  KafkaStats(String device, long start) {
    byte[] text = device.getBytes(StandardCharsets.UTF_8);
    this.key = Bytes.wrap(ByteBuffer.allocate(Long.BYTES + text.length).putLong(start).put(text).array());
  }

  /** As it was put into the store. */
  KafkaStats(Bytes key, byte[] value) {
    this.key = key;
    this.kept = true;
    ByteBuffer in = ByteBuffer.wrap(value);
    n = in.getLong();
    temperatureSum = in.getDouble();
    temperatureMin = in.getDouble();
    temperatureMax = in.getDouble();
    humiditySum = in.getDouble();
    humidityMin = in.getDouble();
    humidityMax = in.getDouble();
    pressureSum = in.getDouble();
    pressureMin = in.getDouble();
    pressureMax = in.getDouble();
    batterySum = in.getDouble();
    batteryMin = in.getDouble();
    batteryMax = in.getDouble();
  }

  static long startOf(Bytes key) {
    return ByteBuffer.wrap(key.get()).getLong();
  }

  static String deviceOf(Bytes key) {
    return new String(key.get(), Long.BYTES, key.get().length - Long.BYTES, StandardCharsets.UTF_8);
  }

  void add(KafkaMeasure measure) {
    n++;
    double temperature = measure.temperature;
    temperatureSum += temperature;
    if (temperature < temperatureMin) temperatureMin = temperature;
    if (temperature > temperatureMax) temperatureMax = temperature;
    double humidity = measure.humidity;
    humiditySum += humidity;
    if (humidity < humidityMin) humidityMin = humidity;
    if (humidity > humidityMax) humidityMax = humidity;
    double pressure = measure.pressure;
    pressureSum += pressure;
    if (pressure < pressureMin) pressureMin = pressure;
    if (pressure > pressureMax) pressureMax = pressure;
    double battery = measure.battery;
    batterySum += battery;
    if (battery < batteryMin) batteryMin = battery;
    if (battery > batteryMax) batteryMax = battery;
  }

  /** For the store. */
  byte[] bytes() {
    byte[] bytes = new byte[BYTES];
    ByteBuffer.wrap(bytes)
        .putLong(n)
        .putDouble(temperatureSum)
        .putDouble(temperatureMin)
        .putDouble(temperatureMax)
        .putDouble(humiditySum)
        .putDouble(humidityMin)
        .putDouble(humidityMax)
        .putDouble(pressureSum)
        .putDouble(pressureMin)
        .putDouble(pressureMax)
        .putDouble(batterySum)
        .putDouble(batteryMin)
        .putDouble(batteryMax);
    return bytes;
  }

  /** Count, then average, minimum and maximum of each measure. */
  double[] values() {
    return new double[] {
      n,
      temperatureSum / n,
      temperatureMin,
      temperatureMax,
      humiditySum / n,
      humidityMin,
      humidityMax,
      pressureSum / n,
      pressureMin,
      pressureMax,
      batterySum / n,
      batteryMin,
      batteryMax
    };
  }
}
