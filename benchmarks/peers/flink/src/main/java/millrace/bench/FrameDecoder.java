package millrace.bench;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.zip.CRC32;

/**
 * Reads the columns of a frame that a query needs into primitive arrays, which the next frame overwrites. The layout is drawn in
 * engine/wire/envelope.ts, column-crcs.ts and frame-layout.ts. CRCs are checked, of columns where they are read, and that the frame has
 * the expected schema; the rest is trusted.
 */
final class FrameDecoder {
  private static final int MAGIC = 0x3146524d;
  private static final int ENVELOPE_BYTES_MIN = 100;
  private static final int BODY_HEADER_BYTES = 8;
  private static final int COLUMN_ENTRY_BYTES = 24;
  private static final int PLAIN = 0;
  private static final int CONST = 1;
  private static final int DECIMAL = 2;
  private static final int OFFSET = 3;
  private static final int SHORT = 4;
  private static final double[] POWERS_OF_TEN = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};

  /** One projected column of the frame decoded last. Only the arrays of its type are used; a null's place holds zero. */
  static final class Column {
    double[] doubles = new double[0];
    long[] times = new long[0];
    int[] ints = new int[0];
    /** Indexes into {@link #texts}. */
    char[] codes = new char[0];
    /** The dictionary of this frame: every distinct string once. */
    String[] texts = new String[0];
  }

  /** Whether columns are decoded that nobody needs, as by an engine without projection; set before readers open. */
  static volatile boolean readsAll = false;

  private final Schema schema;
  private final Column[] columns;
  private final CRC32 crc = new CRC32();
  private byte[] nulls = new byte[0];
  private byte[] entries = new byte[0];
  private int[] ints = new int[0];
  private char[] shorts = new char[0];
  private int records = 0;

  /** @param projection names of the columns to read */
  FrameDecoder(Schema schema, String... projection) {
    this.schema = schema;
    this.columns = new Column[schema.fields.size()];
    for (String name : projection) columns[schema.column(name)] = new Column();
    if (!readsAll) return;
    for (int c = 0; c < columns.length; c++) if (columns[c] == null) columns[c] = new Column();
  }

  /** A projected column. The object stays the same, its arrays do not. */
  Column column(String name) {
    return columns[schema.column(name)];
  }

  int records() {
    return records;
  }

  void decode(ByteBuffer frame) {
    int crcsAt = checkEnvelope(frame);
    int body = frame.limit() - frame.getInt(20);
    int directory = body + BODY_HEADER_BYTES;
    int at = directory + columns.length * COLUMN_ENTRY_BYTES;
    boolean hasColumnCrcs = frame.getShort(8) == 2;
    if (crcOf(frame, crcsAt, hasColumnCrcs ? at : frame.limit()) != frame.getInt(28))
      throw corrupt("the CRC of its payload does not match");
    if (frame.getInt(body) != columns.length) throw corrupt("it has another number of columns");
    for (int c = 0; c < columns.length; c++) {
      int entry = directory + c * COLUMN_ENTRY_BYTES;
      int end = at + frame.getInt(entry + 8);
      int next = (end + 7) & ~7;
      if (columns[c] != null) {
        if (hasColumnCrcs && crcOf(frame, at, next) != frame.getInt(crcsAt + 4 * c))
          throw corrupt("the CRC of column " + c + " does not match");
        read(frame, c, entry, at, end);
      }
      at = next;
    }
    if (at != frame.limit()) throw corrupt("its columns do not fill it");
  }

  /** Checks the envelope; returns where the payload starts, which is with the CRCs of the columns if it has some. */
  private int checkEnvelope(ByteBuffer frame) {
    if (frame.limit() < ENVELOPE_BYTES_MIN || frame.getInt(0) != MAGIC) throw corrupt("it is no frame");
    int version = frame.getShort(8);
    if (version < 1 || version > 2 || frame.getShort(10) != 0) throw corrupt("its version or compression is not known here");
    int headerBytes = frame.getInt(12);
    if (headerBytes + frame.getInt(24) != frame.limit()) throw corrupt("its length is wrong");
    if (crcOf(frame, 8, headerBytes) != frame.getInt(4)) throw corrupt("the CRC of its envelope does not match");
    if (Long.reverseBytes(frame.getLong(56)) != schema.id) throw corrupt("it is not of schema '" + schema.name + "'");
    records = frame.getInt(16);
    return headerBytes;
  }

  private int crcOf(ByteBuffer frame, int start, int end) {
    crc.reset();
    crc.update(frame.slice(start, end - start));
    return (int) crc.getValue();
  }

  private void read(ByteBuffer frame, int c, int entry, int start, int end) {
    Schema.Field field = schema.fields.get(c);
    if (frame.getShort(entry) != field.id() || frame.get(entry + 2) != field.type().code)
      throw corrupt("column " + c + " is not '" + field.name() + "'");
    int encoding = frame.get(entry + 3);
    boolean hasNulls = frame.get(entry + 4) == 1;
    int at = start;
    if (hasNulls) at += readNulls(frame, start);
    double base = frame.getDouble(entry + 16);
    Column column = columns[c];
    switch (field.type()) {
      case TIME -> readTimes(frame, column, encoding, frame.get(entry + 5), base, at);
      case F64 -> readDoubles(frame, column, encoding, frame.get(entry + 5), base, at);
      case I32 -> readInts(frame, column, encoding, base, at);
      case STRING -> readStrings(frame, column, encoding, frame.getInt(entry + 12), at, end);
    }
    if (hasNulls && encoding != PLAIN) zeroNulls(column, field.type());
  }

  /** Returns the bytes that the bitmap takes. */
  private int readNulls(ByteBuffer frame, int start) {
    int bytes = (records + 7) >>> 3;
    if (nulls.length < bytes) nulls = new byte[bytes];
    frame.get(start, nulls, 0, bytes);
    return (bytes + 7) & ~7;
  }

  /** Encodings other than plain leave something in the place of a null. */
  private void zeroNulls(Column column, Schema.Type type) {
    for (int i = 0; i < records; i++) {
      if (((nulls[i >>> 3] >>> (i & 7)) & 1) == 0) continue;
      switch (type) {
        case TIME -> column.times[i] = 0;
        case F64 -> column.doubles[i] = 0;
        case I32 -> column.ints[i] = 0;
        case STRING -> {} // a code of 0, for which nobody asks
      }
    }
  }

  private void readTimes(ByteBuffer frame, Column column, int encoding, int exponent, double base, int at) {
    if (column.times.length < records) column.times = new long[records];
    long[] times = column.times;
    switch (encoding) {
      case CONST -> Arrays.fill(times, 0, records, (long) base);
      case OFFSET -> {
        int[] distances = scratch(frame, at);
        long first = (long) base;
        for (int i = 0; i < records; i++) times[i] = first + distances[i];
      }
      case SHORT -> {
        if (exponent != 0) throw corrupt("times with decimals are not known here");
        char[] distances = scratchShorts(frame, at);
        long first = (long) base;
        for (int i = 0; i < records; i++) times[i] = first + distances[i];
      }
      case PLAIN -> {
        for (int i = 0; i < records; i++) times[i] = (long) frame.getDouble(at + 8 * i);
      }
      default -> throw corrupt("times are not encoded as " + encoding);
    }
  }

  private void readDoubles(ByteBuffer frame, Column column, int encoding, int exponent, double base, int at) {
    if (column.doubles.length < records) column.doubles = new double[records];
    double[] doubles = column.doubles;
    switch (encoding) {
      case CONST -> Arrays.fill(doubles, 0, records, base);
      case PLAIN -> frame.slice(at, 8 * records).order(ByteOrder.LITTLE_ENDIAN).asDoubleBuffer().get(doubles, 0, records);
      case DECIMAL -> {
        int[] digits = scratch(frame, at);
        double power = POWERS_OF_TEN[exponent];
        for (int i = 0; i < records; i++) doubles[i] = digits[i] / power;
      }
      case OFFSET -> {
        int[] distances = scratch(frame, at);
        for (int i = 0; i < records; i++) doubles[i] = base + distances[i];
      }
      case SHORT -> {
        char[] distances = scratchShorts(frame, at);
        double power = POWERS_OF_TEN[exponent];
        for (int i = 0; i < records; i++) doubles[i] = (base + distances[i]) / power;
      }
      default -> throw corrupt("numbers are not encoded as " + encoding);
    }
  }

  private void readInts(ByteBuffer frame, Column column, int encoding, double base, int at) {
    if (column.ints.length < records) column.ints = new int[records];
    if (encoding == CONST) Arrays.fill(column.ints, 0, records, (int) base);
    else copyInts(frame, at, column.ints, records);
  }

  private void readStrings(ByteBuffer frame, Column column, int encoding, int count, int at, int end) {
    if (encoding != PLAIN && encoding != CONST) throw corrupt("strings are not encoded as " + encoding);
    if (column.codes.length < records) column.codes = new char[records];
    int codesAt = encoding == CONST ? end : end - 2 * records;
    if (encoding == CONST) Arrays.fill(column.codes, 0, records, (char) 0);
    else copyShorts(frame, codesAt, column.codes, records);
    int bytes = codesAt - at - 4 * count;
    if (entries.length < bytes) entries = new byte[bytes];
    frame.get(at + 4 * count, entries, 0, bytes);
    if (column.texts.length < count) column.texts = new String[count];
    int from = 0;
    for (int i = 0; i < count; i++) {
      int length = frame.getInt(at + 4 * i);
      column.texts[i] = new String(entries, from, length, StandardCharsets.UTF_8);
      from += (length + 3) & ~3;
    }
  }

  private int[] scratch(ByteBuffer frame, int at) {
    if (ints.length < records) ints = new int[records];
    copyInts(frame, at, ints, records);
    return ints;
  }

  private char[] scratchShorts(ByteBuffer frame, int at) {
    if (shorts.length < records) shorts = new char[records];
    copyShorts(frame, at, shorts, records);
    return shorts;
  }

  private static void copyShorts(ByteBuffer frame, int at, char[] target, int count) {
    frame.slice(at, 2 * count).order(ByteOrder.LITTLE_ENDIAN).asCharBuffer().get(target, 0, count);
  }

  private static void copyInts(ByteBuffer frame, int at, int[] target, int count) {
    frame.slice(at, 4 * count).order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(target, 0, count);
  }

  private static IllegalStateException corrupt(String what) {
    return new IllegalStateException("Frame is corrupt: " + what + ".");
  }
}
