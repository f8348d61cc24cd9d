package millrace.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import org.apache.flink.api.connector.source.SourceOutput;

/** Entries that are one event of T1 each, as JSON, read token by token. */
final class MeasureJson implements EntryDecoder<Measure> {
  private static final long serialVersionUID = 1;

  private transient JsonFactory json;
  private transient Measure measure;

  @Override
  public void open() {
    json = JsonFactory.builder().enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER).build();
    measure = new Measure();
  }

  @Override
  public void decode(byte[] value, SourceOutput<Measure> output) throws IOException {
    long at = 0;
    try (JsonParser parser = json.createParser(value)) {
      parser.nextToken();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        parser.nextToken();
        switch (name) {
          case "ts" -> at = parser.getLongValue();
          case "device" -> measure.device = parser.getText();
          case "temperature" -> measure.temperature = parser.getDoubleValue();
          case "humidity" -> measure.humidity = parser.getDoubleValue();
          case "pressure" -> measure.pressure = parser.getDoubleValue();
          case "battery" -> measure.battery = parser.getDoubleValue();
          default -> parser.skipChildren();
        }
      }
    }
    output.collect(measure, at);
  }
}
