package millrace.bench;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/** Makes records of frames, keyed by their device: what {@code flatMap} would be. */
final class KafkaFrames implements Processor<byte[], byte[], String, KafkaMeasure> {
  private final FrameDecoder decoder =
      new FrameDecoder(KafkaMeasure.SCHEMA, "ts", "device", "temperature", "humidity", "pressure", "battery");
  private final FrameDecoder.Column ts = decoder.column("ts");
  private final FrameDecoder.Column device = decoder.column("device");
  private final FrameDecoder.Column temperature = decoder.column("temperature");
  private final FrameDecoder.Column humidity = decoder.column("humidity");
  private final FrameDecoder.Column pressure = decoder.column("pressure");
  private final FrameDecoder.Column battery = decoder.column("battery");
  private final KafkaMeasure measure = new KafkaMeasure();
  private final Runnable atEnd;
  private int framesLeft;
  private ProcessorContext<String, KafkaMeasure> context;

  /** @param frames how many are read; what comes after them is not */
  KafkaFrames(int frames, Runnable atEnd) {
    this.framesLeft = frames;
    this.atEnd = atEnd;
  }

  @Override
  public void init(ProcessorContext<String, KafkaMeasure> context) {
    this.context = context;
  }

  @Override
  public void process(Record<byte[], byte[]> frame) {
    if (framesLeft == 0) return;
    decoder.decode(ByteBuffer.wrap(frame.value()).order(ByteOrder.LITTLE_ENDIAN));
    int records = decoder.records();
    for (int i = 0; i < records; i++) {
      measure.temperature = temperature.doubles[i];
      measure.humidity = humidity.doubles[i];
      measure.pressure = pressure.doubles[i];
      measure.battery = battery.doubles[i];
      context.forward(new Record<>(device.texts[device.codes[i]], measure, ts.times[i]));
    }
    if (--framesLeft == 0) atEnd.run();
  }
}
