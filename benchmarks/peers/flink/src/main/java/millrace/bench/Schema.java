package millrace.bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import java.util.stream.Collectors;

/** Columns of a frame, as engine/wire/schema.ts declares them, and the id that follows from their canonical text. */
final class Schema {
  enum Type {
    F64(1),
    TIME(3),
    I32(4),
    STRING(7);

    /** TYPE_CODES of engine/wire/frame-layout.ts. */
    final int code;

    Type(int code) {
      this.code = code;
    }
  }

  record Field(int id, String name, Type type, boolean nullable, boolean eventTime) {
    static Field eventTime(int id, String name) {
      return new Field(id, name, Type.TIME, false, true);
    }

    static Field of(int id, String name, Type type) {
      return new Field(id, name, type, false, false);
    }

    static Field nullable(int id, String name, Type type) {
      return new Field(id, name, type, true, false);
    }

    private String text() {
      String typeName = type.name().toLowerCase();
      return "[%d,\"%s\",\"%s\",%d,%d]".formatted(id, name, typeName, nullable ? 1 : 0, eventTime ? 1 : 0);
    }
  }

  final String name;
  final List<Field> fields;
  /** First 8 bytes of the SHA-256 of the canonical text, big endian. */
  final long id;

  Schema(String name, Field... fields) {
    this.name = name;
    this.fields = List.of(fields);
    this.id = contentId(name, this.fields);
  }

  /** Index of a column by its name. */
  int column(String fieldName) {
    for (int i = 0; i < fields.size(); i++) if (fields.get(i).name().equals(fieldName)) return i;
    throw new IllegalArgumentException("schema '" + name + "' has no field '" + fieldName + "'");
  }

  private static long contentId(String name, List<Field> fields) {
    String list = fields.stream().map(Field::text).collect(Collectors.joining(","));
    String text = "{\"name\":\"" + name + "\",\"fields\":[" + list + "]}";
    try {
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return ByteBuffer.wrap(hash).getLong();
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
