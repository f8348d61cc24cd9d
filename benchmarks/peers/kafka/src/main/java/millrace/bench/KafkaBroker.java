package millrace.bench;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import kafka.Kafka;
import kafka.tools.StorageTool;
import org.apache.kafka.common.Uuid;

/**
 * {@code KafkaBroker <folder> <port> <controller's port>}: one node that is broker and controller, on loopback, with its data in the
 * folder. It ends when asked to, or as soon as its input does, which the process that started it holds open.
 */
public final class KafkaBroker {
  private KafkaBroker() {}

  public static void main(String[] args) throws IOException {
    if (args.length != 3) throw new IllegalArgumentException("KafkaBroker <folder> <port> <controller's port>");
    Path file = Path.of(args[0], "broker.properties");
    Files.write(file, settings(Path.of(args[0], "data"), args[1], args[2]));
    endWithInput();
    String[] format = {"format", "-t", Uuid.randomUuid().toString(), "-c", file.toString()};
    if (StorageTool.execute(format, new PrintStream(PrintStream.nullOutputStream())) != 0)
      throw new IllegalStateException("the folder of the broker could not be formatted");
    Kafka.main(new String[] {file.toString()});
  }

  private static List<String> settings(Path data, String port, String controllerPort) {
    return List.of(
        "process.roles=broker,controller",
        "node.id=1",
        "controller.quorum.voters=1@127.0.0.1:" + controllerPort,
        "controller.listener.names=CONTROLLER",
        "listeners=PLAINTEXT://127.0.0.1:" + port + ",CONTROLLER://127.0.0.1:" + controllerPort,
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs=" + data,
        // The events lie in the past.
        "log.retention.ms=-1",
        "auto.create.topics.enable=false",
        "num.partitions=1",
        "default.replication.factor=1",
        "min.insync.replicas=1",
        "offsets.topic.num.partitions=1",
        "offsets.topic.replication.factor=1",
        "transaction.state.log.num.partitions=1",
        "transaction.state.log.replication.factor=1",
        "transaction.state.log.min.isr=1",
        "group.initial.rebalance.delay.ms=0",
        "num.network.threads=1",
        "num.io.threads=2",
        "socket.send.buffer.bytes=1048576");
  }

  /** Ends this process when whoever started it does: neither a broker nor a client without one would end by itself. */
  static void endWithInput() {
    Thread watch =
        new Thread(
            () -> {
              try (InputStream input = System.in) {
                while (input.read() >= 0) {}
              } catch (IOException e) {
                // Nothing more will come: as at its end.
              }
              Runtime.getRuntime().halt(1);
            });
    watch.setDaemon(true);
    watch.start();
  }
}
