package millrace.bench;

/** The records of the frame that a decoder has read last. */
abstract class JetRecords<T> {
  final FrameDecoder decoder;

  JetRecords(FrameDecoder decoder) {
    this.decoder = decoder;
  }

  /** A record as an object of its own, because queues hold it, or null where it is not of a kind that is wanted. */
  abstract T record(int index);

  abstract long timeOf(T record);
}
