package millrace.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** A Flink cluster in this JVM, tuned; README.md says why each setting is what it is. */
final class Cluster implements AutoCloseable {
  private final Options options;
  private final Path checkpoints;
  private final Configuration configuration;
  private final MiniCluster cluster;

  Cluster(Options options) throws Exception {
    this.options = options;
    checkpoints = Files.createTempDirectory("flink-peer-");
    configuration = configurationOf(options, checkpoints);
    cluster =
        new MiniCluster(
            new MiniClusterConfiguration.Builder()
                .setConfiguration(configuration)
                .setNumTaskManagers(1)
                .setNumSlotsPerTaskManager(options.parallelism())
                .build());
    cluster.start();
  }

  private static Configuration configurationOf(Options options, Path checkpoints) {
    Configuration configuration = new Configuration();
    configuration.setString("taskmanager.numberOfTaskSlots", String.valueOf(options.parallelism()));
    configuration.setString("taskmanager.memory.network.min", "256mb");
    configuration.setString("taskmanager.memory.network.max", "256mb");
    configuration.setString("rest.bind-port", "0");
    configuration.setString("state.backend.type", "hashmap");
    configuration.setString("pipeline.object-reuse", "true");
    configuration.setString("pipeline.generic-types", "false");
    configuration.setString("pipeline.auto-watermark-interval", options.watermarkMs() + " ms");
    configuration.setString("execution.buffer-timeout.enabled", "false");
    configuration.setString("restart-strategy.type", "none");
    if (options.checkpointMs() == 0) return configuration;
    configuration.setString("execution.checkpointing.interval", options.checkpointMs() + " ms");
    configuration.setString("execution.checkpointing.mode", "EXACTLY_ONCE");
    configuration.setString("execution.checkpointing.storage", "filesystem");
    configuration.setString("execution.checkpointing.dir", checkpoints.toUri().toString());
    configuration.setString("execution.checkpointing.checkpoints-after-tasks-finish", "false");
    return configuration;
  }

  /** The environment to define a job in. */
  StreamExecutionEnvironment environment() {
    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(configuration);
    env.setParallelism(options.parallelism());
    return env;
  }

  /** Runs a job to its end. */
  void run(JobGraph job) throws Exception {
    cluster.executeJobBlocking(job);
  }

  /** @throws IllegalStateException where Flink does not stop */
  @Override
  public void close() throws IOException {
    try {
      cluster.close();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
    try (Stream<Path> files = Files.walk(checkpoints)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) Files.deleteIfExists(file);
    }
  }
}
