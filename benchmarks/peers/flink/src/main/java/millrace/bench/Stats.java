package millrace.bench;

import java.io.IOException;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Accumulator of T1: count, and sum, minimum and maximum of four measures. One object without arrays, as it is met in random order. */
final class Stats implements Flat<Stats> {
  static final int FIELDS = 4;

  long n = 0;
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

  private void add(Measure measure) {
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

  @Override
  public Stats fresh() {
    return new Stats();
  }

  @Override
  public Stats copy() {
    Stats copy = new Stats();
    copy.n = n;
    copy.temperatureSum = temperatureSum;
    copy.temperatureMin = temperatureMin;
    copy.temperatureMax = temperatureMax;
    copy.humiditySum = humiditySum;
    copy.humidityMin = humidityMin;
    copy.humidityMax = humidityMax;
    copy.pressureSum = pressureSum;
    copy.pressureMin = pressureMin;
    copy.pressureMax = pressureMax;
    copy.batterySum = batterySum;
    copy.batteryMin = batteryMin;
    copy.batteryMax = batteryMax;
    return copy;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    out.writeLong(n);
    out.writeDouble(temperatureSum);
    out.writeDouble(temperatureMin);
    out.writeDouble(temperatureMax);
    out.writeDouble(humiditySum);
    out.writeDouble(humidityMin);
    out.writeDouble(humidityMax);
    out.writeDouble(pressureSum);
    out.writeDouble(pressureMin);
    out.writeDouble(pressureMax);
    out.writeDouble(batterySum);
    out.writeDouble(batteryMin);
    out.writeDouble(batteryMax);
  }

  @Override
  public void read(DataInputView in) throws IOException {
    n = in.readLong();
    temperatureSum = in.readDouble();
    temperatureMin = in.readDouble();
    temperatureMax = in.readDouble();
    humiditySum = in.readDouble();
    humidityMin = in.readDouble();
    humidityMax = in.readDouble();
    pressureSum = in.readDouble();
    pressureMin = in.readDouble();
    pressureMax = in.readDouble();
    batterySum = in.readDouble();
    batteryMin = in.readDouble();
    batteryMax = in.readDouble();
  }

  static final class Of implements AggregateFunction<Measure, Stats, Stats> {
    private static final long serialVersionUID = 1;

    @Override
    public Stats createAccumulator() {
      return new Stats();
    }

    @Override
    public Stats add(Measure measure, Stats stats) {
      stats.add(measure);
      return stats;
    }

    @Override
    public Stats getResult(Stats stats) {
      return stats;
    }

    @Override
    public Stats merge(Stats a, Stats b) {
      throw new UnsupportedOperationException("tumbling windows do not merge");
    }
  }
}
