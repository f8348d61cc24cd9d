package millrace.bench;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.StreamMessage;
import io.lettuce.core.XReadArgs;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.codec.RedisCodec;
import io.lettuce.core.codec.StringCodec;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/** The one connection of this JVM to a server. It stays open, so that no run pays for making it. */
final class RedisServer {
  private static final Map<String, RedisServer> OPEN = new ConcurrentHashMap<>();

  private final StatefulRedisConnection<String, byte[]> connection;

  private RedisServer(String socket) {
    RedisClient client = RedisClient.create(RedisURI.Builder.socket(socket).build());
    connection = client.connect(RedisCodec.of(StringCodec.ASCII, ByteArrayCodec.INSTANCE));
  }

  static RedisServer open(String socket) {
    return OPEN.computeIfAbsent(socket, RedisServer::new);
  }

  /** Entries of a stream that come after one of them, at most so many. */
  CompletableFuture<List<StreamMessage<String, byte[]>>> after(String stream, String id, int count) {
    return connection
        .async()
        .xread(XReadArgs.Builder.count(count), XReadArgs.StreamOffset.from(stream, id))
        .toCompletableFuture();
  }

  /** CPU time that the server has used, ms. */
  double cpuMs() {
    double seconds = 0;
    for (String line : connection.sync().info("cpu").split("\r\n"))
      if (line.startsWith("used_cpu_sys:") || line.startsWith("used_cpu_user:"))
        seconds += Double.parseDouble(line.substring(line.indexOf(':') + 1));
    return seconds * 1000;
  }
}
