package millrace.bench;

import java.io.IOException;
import java.util.Objects;
import org.apache.flink.api.common.serialization.SerializerConfig;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSchemaCompatibility;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Flink's view of a {@link Flat} type. */
final class FlatType<T extends Flat<T>> extends TypeInformation<T> {
  private static final long serialVersionUID = 1;

  private final Class<T> type;

  private FlatType(Class<T> type) {
    this.type = type;
  }

  static <T extends Flat<T>> FlatType<T> forClass(Class<T> type) {
    return new FlatType<>(type);
  }

  @Override
  public boolean isBasicType() {
    return false;
  }

  @Override
  public boolean isTupleType() {
    return false;
  }

  @Override
  public int getArity() {
    return 1;
  }

  @Override
  public int getTotalFields() {
    return 1;
  }

  @Override
  public Class<T> getTypeClass() {
    return type;
  }

  @Override
  public boolean isKeyType() {
    return false;
  }

  @Override
  public TypeSerializer<T> createSerializer(SerializerConfig config) {
    return new Serializer<>(type);
  }

  @Override
  public String toString() {
    return "FlatType<" + type.getSimpleName() + ">";
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof FlatType<?> that && that.type == type;
  }

  @Override
  public int hashCode() {
    return type.hashCode();
  }

  @Override
  public boolean canEqual(Object other) {
    return other instanceof FlatType<?>;
  }

  private static final class Serializer<T extends Flat<T>> extends TypeSerializer<T> {
    private static final long serialVersionUID = 1;

    private final Class<T> type;
    private transient T prototype;

    Serializer(Class<T> type) {
      this.type = type;
    }

    @Override
    public boolean isImmutableType() {
      return false;
    }

    @Override
    public TypeSerializer<T> duplicate() {
      return this;
    }

    @Override
    public T createInstance() {
      if (prototype == null) prototype = instanceOf(type);
      return prototype.fresh();
    }

    @Override
    public T copy(T from) {
      return from.copy();
    }

    @Override
    public T copy(T from, T reuse) {
      return from.copy();
    }

    @Override
    public int getLength() {
      return -1;
    }

    @Override
    public void serialize(T value, DataOutputView out) throws IOException {
      value.write(out);
    }

    @Override
    public T deserialize(DataInputView in) throws IOException {
      return deserialize(createInstance(), in);
    }

    @Override
    public T deserialize(T reuse, DataInputView in) throws IOException {
      reuse.read(in);
      return reuse;
    }

    @Override
    public void copy(DataInputView in, DataOutputView out) throws IOException {
      serialize(deserialize(in), out);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Serializer<?> that && that.type == type;
    }

    @Override
    public int hashCode() {
      return type.hashCode();
    }

    @Override
    public TypeSerializerSnapshot<T> snapshotConfiguration() {
      return new Snapshot<>(type);
    }
  }

  /** What a checkpoint keeps of a serializer: its type. */
  public static final class Snapshot<T extends Flat<T>> implements TypeSerializerSnapshot<T> {
    private Class<T> type;

    public Snapshot() {}

    private Snapshot(Class<T> type) {
      this.type = type;
    }

    @Override
    public int getCurrentVersion() {
      return 1;
    }

    @Override
    public void writeSnapshot(DataOutputView out) throws IOException {
      out.writeUTF(type.getName());
    }

    @Override
    @SuppressWarnings("unchecked")
    public void readSnapshot(int version, DataInputView in, ClassLoader loader) throws IOException {
      try {
        type = (Class<T>) Class.forName(in.readUTF(), true, loader);
      } catch (ClassNotFoundException e) {
        throw new IOException(e);
      }
    }

    @Override
    public TypeSerializer<T> restoreSerializer() {
      return new Serializer<>(type);
    }

    @Override
    public TypeSerializerSchemaCompatibility<T> resolveSchemaCompatibility(TypeSerializerSnapshot<T> old) {
      return old instanceof Snapshot<T> that && Objects.equals(that.type, type)
          ? TypeSerializerSchemaCompatibility.compatibleAsIs()
          : TypeSerializerSchemaCompatibility.incompatible();
    }
  }

  private static <T> T instanceOf(Class<T> type) {
    try {
      return type.getDeclaredConstructor().newInstance();
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(type + " needs a constructor without arguments", e);
    }
  }
}
