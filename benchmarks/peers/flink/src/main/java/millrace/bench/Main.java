package millrace.bench;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.runtime.util.EnvironmentInformation;

/**
 * Runs one workload once, after runs over its first events that do not count, and prints what it cost and what came out as one line of
 * JSON.
 */
public final class Main {
  private final Options options;
  private final Cluster cluster;
  private final FrameFile file;

  private Main(Options options, Cluster cluster) {
    this.options = options;
    this.cluster = cluster;
    this.file = FrameFile.open(options.file());
  }

  public static void main(String[] args) throws Exception {
    Options options;
    try {
      options = Options.parse(args);
    } catch (IllegalArgumentException e) {
      System.err.println(e.getMessage());
      System.exit(2);
      return;
    }
    FrameDecoder.readsAll = options.allColumns();
    try (Cluster cluster = new Cluster(options)) {
      System.out.println(new Main(options, cluster).run());
    }
    System.exit(0); // pools of Flink keep threads
  }

  private String run() throws Exception {
    warmUp();
    System.gc();
    double serverBefore = serverCpuMs();
    Measurement cost = once(readsFrames() ? file.frames() : Math.toIntExact(file.records()));
    double serverCpuMs = serverCpuMs() - serverBefore;
    List<ResultSink.Tally<?>> tallies = ResultSink.take();
    String results = options.workload().startsWith("t1") ? t1Results(tallies) : nexmarkResults(tallies);
    return ("{\"workload\":\"%s\",\"engine\":\"flink\",\"version\":\"%s\",\"form\":\"%s\",\"parallelism\":%d,"
            + "\"checkpointMs\":%d,\"checkpoints\":%d,\"events\":%d,\"cpuMs\":%.0f,\"wallMs\":%.0f,\"deployCpuMs\":%.0f,"
            + "%s,%s\"rssMb\":%d,\"heapPeakMb\":%d,\"gcMs\":%d}")
        .formatted(
            options.workload(),
            EnvironmentInformation.getVersion(),
            options.best() ? "best" : "ordinary",
            options.parallelism(),
            options.checkpointMs(),
            cost.checkpoints(),
            file.records(),
            cost.cpuMs(),
            cost.wallMs(),
            cost.deployCpuMs(),
            results,
            options.redis() == null ? "" : "\"serverCpuMs\":%.0f,".formatted(serverCpuMs),
            rssMb(),
            heapPeakMb(),
            cost.gcMs());
  }

  private void warmUp() throws Exception {
    int entries =
        readsFrames() ? file.framesOf(options.warmup()) : (int) Math.min(options.warmup(), file.records());
    double enough = Measurement.processCpuMs() + options.warmupMs();
    while (entries > 0 && Measurement.processCpuMs() < enough) {
      once(entries);
      ResultSink.take();
    }
  }

  /** Else the stream has an entry for every event. */
  private boolean readsFrames() {
    return !options.workload().equals("t1-json");
  }

  /** CPU time of the server that events are read from. */
  private double serverCpuMs() {
    return options.redis() == null ? 0 : RedisServer.open(options.redis()).cpuMs();
  }

  private Measurement once(int entries) throws Exception {
    var env = cluster.environment();
    Workloads.BY_NAME.get(options.workload()).accept(new Pipeline(env, options, entries));
    var job = env.getStreamGraph().getJobGraph();
    return Measurement.of(() -> cluster.run(job));
  }

  private String t1Results(List<ResultSink.Tally<?>> tallies) throws IOException {
    List<DeviceWindow> rows = T1.closedRows(tallies, file.maxTime());
    if (options.lines() != null) write(rows.stream().map(T1::line).sorted().toList());
    return "\"rows\":%d,\"checksum\":\"%s\"".formatted(rows.size(), T1.digest(rows));
  }

  private String nexmarkResults(List<ResultSink.Tally<?>> tallies) throws IOException {
    long rows = 0;
    int sum = 0;
    List<String> lines = new ArrayList<>();
    for (ResultSink.Tally<?> tally : tallies) {
      Checksum<?> part = (Checksum<?>) tally;
      rows += part.rows;
      sum += part.sum;
      if (part.lines == null) continue;
      for (Map.Entry<String, Integer> line : part.lines.entrySet())
        for (int i = 0; i < line.getValue(); i++) lines.add(line.getKey());
    }
    lines.sort(null);
    if (options.lines() != null) write(lines);
    return "\"rows\":%d,\"checksum\":\"%d\"".formatted(rows, Integer.toUnsignedLong(sum));
  }

  private void write(List<String> lines) throws IOException {
    Files.write(Path.of(options.lines()), lines);
  }

  /** The highest that the process has had, with the file that it has mapped and the heap that was touched in advance. */
  private static long rssMb() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status")))
      if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("\\D", "")) / 1024;
    return 0;
  }

  /** The highest that was in use of the heap, garbage included. */
  private static long heapPeakMb() {
    long bytes = 0;
    for (MemoryPoolMXBean pool : ManagementFactory.getMemoryPoolMXBeans())
      if (pool.getType() == java.lang.management.MemoryType.HEAP) bytes += pool.getPeakUsage().getUsed();
    return bytes >> 20;
  }
}
