package millrace.bench;

import java.io.IOException;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** A result of numbers and, after them, texts. Nobody changes one. */
final class Values implements Flat<Values>, ResultRow {
  private static final int NONE = -1;

  private double[] numbers;
  private String[] texts;
  private int decimal;
  private int sign;

  private Values(double[] numbers, String[] texts, int decimal, int sign) {
    this.numbers = numbers;
    this.texts = texts;
    this.decimal = decimal;
    this.sign = sign;
  }

  Values() {
    this(new double[0], new String[0], NONE, 1);
  }

  static Values of(double... numbers) {
    return new Values(numbers, new String[0], NONE, 1);
  }

  Values with(String... after) {
    return new Values(numbers, after, decimal, sign);
  }

  /** With six decimals in the number at {@code index}, even where it is whole. */
  Values decimalAt(int index) {
    return new Values(numbers, texts, index, sign);
  }

  Values takenBack() {
    return new Values(numbers, texts, decimal, -1);
  }

  @Override
  public Values fresh() {
    return new Values();
  }

  @Override
  public Values copy() {
    return this;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    out.writeByte(numbers.length);
    for (double number : numbers) out.writeDouble(number);
    out.writeByte(texts.length);
    for (String text : texts) FlatText.write(text, out);
    out.writeByte(decimal);
    out.writeByte(sign);
  }

  @Override
  public void read(DataInputView in) throws IOException {
    numbers = new double[in.readUnsignedByte()];
    for (int i = 0; i < numbers.length; i++) numbers[i] = in.readDouble();
    texts = new String[in.readUnsignedByte()];
    for (int i = 0; i < texts.length; i++) texts[i] = FlatText.read(in);
    decimal = in.readByte();
    sign = in.readByte();
  }

  @Override
  public int sign() {
    return sign;
  }

  @Override
  public int hash() {
    int hash = 0;
    for (double number : numbers) hash = RowHash.add(hash, number);
    for (String text : texts) hash = RowHash.add(hash, text);
    return hash;
  }

  @Override
  public String line() {
    StringBuilder line = new StringBuilder();
    for (int i = 0; i < numbers.length; i++) {
      if (i > 0) line.append(',');
      boolean isWhole = i != decimal && numbers[i] == Math.rint(numbers[i]);
      if (isWhole) line.append((long) numbers[i]);
      else line.append(SixDecimals.of(numbers[i]));
    }
    for (String text : texts) line.append(',').append(text);
    return line.toString();
  }
}
