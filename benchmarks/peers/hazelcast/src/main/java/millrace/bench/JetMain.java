package millrace.bench;

import com.hazelcast.config.Config;
import com.hazelcast.core.Hazelcast;
import com.hazelcast.core.HazelcastInstance;
import com.hazelcast.jet.config.JobConfig;
import com.hazelcast.jet.config.ProcessingGuarantee;
import com.hazelcast.jet.pipeline.Pipeline;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * {@code JetMain <t1|q1|q5|q7> <file> <warm-up events> <file for rows>}: runs one workload once, after runs over its first events, and
 * prints what it cost as one line of JSON. The rows of T1 go to the file, those of Nexmark into a checksum.
 */
public final class JetMain {
  private static final String USAGE = "JetMain <t1|q1|q5|q7> <file> <warm-up events> <file for rows>";
  private static final Map<String, Workload> WORKLOADS =
      Map.of("t1", JetT1::pipeline, "q1", JetNexmark::q1, "q5", JetNexmark::q5, "q7", JetNexmark::q7);
  private static final double WARM_UP_CPU_MS = 10_000;
  private static final int SNAPSHOT_MS = 1_000;

  private interface Workload {
    Pipeline pipeline(String path, int frames);
  }

  private JetMain() {}

  public static void main(String[] args) throws Exception {
    if (args.length != 4 || !WORKLOADS.containsKey(args[0])) throw new IllegalArgumentException(USAGE);
    Workload workload = WORKLOADS.get(args[0]);
    FrameFile file = FrameFile.open(args[1]);
    int first = file.framesOf(Long.parseLong(args[2]));
    HazelcastInstance member = Hazelcast.newHazelcastInstance(config());
    double enough = Measurement.processCpuMs() + WARM_UP_CPU_MS;
    while (first > 0 && Measurement.processCpuMs() < enough) run(member, workload.pipeline(args[1], first));
    System.gc();
    Measurement cost = run(member, workload.pipeline(args[1], file.frames()));
    if (args[0].equals("t1")) Files.write(Path.of(args[3]), JetT1.ROWS.stream().map(JetT1::line).toList());
    System.out.println(
        ("{\"version\":\"%s\",\"events\":%d,\"cpuMs\":%.1f,\"wallMs\":%.1f,\"gcMs\":%d,\"checkpoints\":%d,\"rows\":%d,"
            + "\"checksum\":\"%d\"}")
            .formatted(
                member.getCluster().getLocalMember().getVersion(),
                file.records(),
                cost.cpuMs(),
                cost.wallMs(),
                cost.gcMs(),
                cost.checkpoints(),
                JetChecksum.rows,
                Integer.toUnsignedLong(JetChecksum.sum)));
    System.exit(0); // the member keeps threads
  }

  private static Measurement run(HazelcastInstance member, Pipeline pipeline) throws Exception {
    JetT1.ROWS.clear();
    JetChecksum.clear();
    JobConfig job =
        new JobConfig()
            .setProcessingGuarantee(ProcessingGuarantee.EXACTLY_ONCE)
            .setSnapshotIntervalMillis(SNAPSHOT_MS)
            .setMetricsEnabled(false)
            .registerSerializer(JetStats.class, JetStats.Serializer.class);
    return Measurement.of(() -> member.getJet().newJob(pipeline, job).join());
  }

  /** One member that nobody joins, with one thread for processors. */
  private static Config config() {
    Config config = new Config();
    config.getJetConfig().setEnabled(true).setCooperativeThreadCount(1);
    config.getMetricsConfig().setEnabled(false);
    config.getNetworkConfig().getInterfaces().setEnabled(true).addInterface("127.0.0.1");
    config.getNetworkConfig().getJoin().getAutoDetectionConfig().setEnabled(false);
    config.getNetworkConfig().getJoin().getMulticastConfig().setEnabled(false);
    config.setProperty("hazelcast.socket.bind.any", "false");
    config.setProperty("hazelcast.phone.home.enabled", "false");
    config.setProperty("hazelcast.logging.type", "none");
    return config;
  }
}
