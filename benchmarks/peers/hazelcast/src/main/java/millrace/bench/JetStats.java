package millrace.bench;

import com.hazelcast.nio.ObjectDataInput;
import com.hazelcast.nio.ObjectDataOutput;
import com.hazelcast.nio.serialization.StreamSerializer;
import java.io.IOException;

/** Accumulator of T1: count, and sum, minimum and maximum of four measures. One object without arrays, as it is met in random order. */
final class JetStats {
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

  void add(JetMeasure measure) {
    n++;
    double temperature = measure.temperature();
    temperatureSum += temperature;
    if (temperature < temperatureMin) temperatureMin = temperature;
    if (temperature > temperatureMax) temperatureMax = temperature;
    double humidity = measure.humidity();
    humiditySum += humidity;
    if (humidity < humidityMin) humidityMin = humidity;
    if (humidity > humidityMax) humidityMax = humidity;
    double pressure = measure.pressure();
    pressureSum += pressure;
    if (pressure < pressureMin) pressureMin = pressure;
    if (pressure > pressureMax) pressureMax = pressure;
    double battery = measure.battery();
    batterySum += battery;
    if (battery < batteryMin) batteryMin = battery;
    if (battery > batteryMax) batteryMax = battery;
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

  /** For snapshots. */
  static final class Serializer implements StreamSerializer<JetStats> {
    @Override
    public int getTypeId() {
      return 1;
    }

    @Override
    public void write(ObjectDataOutput out, JetStats stats) throws IOException {
      out.writeLong(stats.n);
      out.writeDouble(stats.temperatureSum);
      out.writeDouble(stats.temperatureMin);
      out.writeDouble(stats.temperatureMax);
      out.writeDouble(stats.humiditySum);
      out.writeDouble(stats.humidityMin);
      out.writeDouble(stats.humidityMax);
      out.writeDouble(stats.pressureSum);
      out.writeDouble(stats.pressureMin);
      out.writeDouble(stats.pressureMax);
      out.writeDouble(stats.batterySum);
      out.writeDouble(stats.batteryMin);
      out.writeDouble(stats.batteryMax);
    }

    @Override
    public JetStats read(ObjectDataInput in) throws IOException {
      JetStats stats = new JetStats();
      stats.n = in.readLong();
      stats.temperatureSum = in.readDouble();
      stats.temperatureMin = in.readDouble();
      stats.temperatureMax = in.readDouble();
      stats.humiditySum = in.readDouble();
      stats.humidityMin = in.readDouble();
      stats.humidityMax = in.readDouble();
      stats.pressureSum = in.readDouble();
      stats.pressureMin = in.readDouble();
      stats.pressureMax = in.readDouble();
      stats.batterySum = in.readDouble();
      stats.batteryMin = in.readDouble();
      stats.batteryMax = in.readDouble();
      return stats;
    }
  }
}
