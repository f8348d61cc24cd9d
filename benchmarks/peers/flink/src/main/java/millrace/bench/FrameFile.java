package millrace.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A file of frames, {@code u32 length, frame} repeated, mapped and touched page by page when it is opened: what is measured afterwards
 * reads memory. One instance per file and JVM; immutable, so that readers share it.
 */
final class FrameFile {
  private static final long SEGMENT_BYTES_MAX = 1L << 30;
  private static final int RECORDS_AT = 16;
  private static final int MAX_TIME_AT = 40;
  private static final Map<String, FrameFile> OPEN = new ConcurrentHashMap<>();

  private final List<ByteBuffer> segments = new ArrayList<>();
  private int[] segmentOf = new int[1024];
  private int[] starts = new int[1024];
  private int[] lengths = new int[1024];
  private int frames = 0;
  private long records = 0;
  private double maxTime = Double.NEGATIVE_INFINITY;

  static FrameFile open(String path) {
    return OPEN.computeIfAbsent(path, FrameFile::new);
  }

  private FrameFile(String path) {
    try (FileChannel channel = FileChannel.open(Path.of(path), StandardOpenOption.READ)) {
      long size = channel.size();
      for (long at = 0; at < size; ) {
        MappedByteBuffer segment =
            channel.map(FileChannel.MapMode.READ_ONLY, at, Math.min(size - at, SEGMENT_BYTES_MAX)).load();
        int read = index(segment.order(ByteOrder.LITTLE_ENDIAN));
        if (read == 0) throw new IOException("the last frame of " + path + " is cut off");
        at += read;
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  int frames() {
    return frames;
  }

  /** Records of all frames. */
  long records() {
    return records;
  }

  /** The latest event time, epoch ms. */
  long maxTime() {
    return (long) maxTime;
  }

  /** Number of leading frames that hold at least {@code wanted} records, or all. */
  int framesOf(long wanted) {
    long sum = 0;
    for (int i = 0; i < frames; i++) {
      if (sum >= wanted) return i;
      sum += segments.get(segmentOf[i]).getInt(starts[i] + RECORDS_AT);
    }
    return frames;
  }

  /** Frame {@code index}, alone and little endian; the buffer is the caller's own. */
  ByteBuffer frame(int index) {
    return segments.get(segmentOf[index]).slice(starts[index], lengths[index]).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Notes the whole frames of a segment; returns the bytes that they take. */
  private int index(ByteBuffer segment) {
    int at = 0;
    while (at + 4 <= segment.limit()) {
      int length = segment.getInt(at);
      if (length < MAX_TIME_AT + 8 || length > segment.limit() - at - 4) break;
      if (frames == starts.length) grow();
      segmentOf[frames] = segments.size();
      starts[frames] = at + 4;
      lengths[frames] = length;
      frames++;
      records += segment.getInt(at + 4 + RECORDS_AT);
      maxTime = Math.max(maxTime, segment.getDouble(at + 4 + MAX_TIME_AT));
      at += 4 + length;
    }
    segments.add(segment);
    return at;
  }

  private void grow() {
    segmentOf = Arrays.copyOf(segmentOf, frames * 2);
    starts = Arrays.copyOf(starts, frames * 2);
    lengths = Arrays.copyOf(lengths, frames * 2);
  }
}
