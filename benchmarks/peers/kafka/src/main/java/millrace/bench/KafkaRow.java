package millrace.bench;

/**
 * A window that has closed.
 *
 * @param values count, then average, minimum and maximum of each measure
 */
record KafkaRow(String device, long start, double[] values) {
  String line() {
    StringBuilder line = new StringBuilder(device).append(',').append(start);
    for (double value : values) line.append(',').append(value);
    return line.toString();
  }
}
