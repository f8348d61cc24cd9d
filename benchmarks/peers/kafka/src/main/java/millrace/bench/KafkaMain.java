package millrace.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.AppInfoParser;

/**
 * {@code KafkaMain <broker> <its process> <folder> <warm-up ms> <ordinary|best> t1-drain <file> <warm-up events> <file for rows>}: fills
 * the topic with the frames of the file, runs T1 once, after runs over its first events for so much CPU time, and prints what it cost as
 * one line of JSON. The rows go to the file. It ends as soon as its input does.
 */
public final class KafkaMain {
  private static final String USAGE =
      "KafkaMain <broker> <its process> <folder> <warm-up ms> <ordinary|best> t1-drain"
          + " <file> <warm-up events> <file for rows>";

  private final String bootstrap;
  private final ProcessHandle broker;
  private final String folder;
  private final KafkaForm form;
  private final List<KafkaRow> rows = new ArrayList<>();
  private int runs = 0;
  /** Of the run that is under way, when it started. */
  private double brokerCpuBefore = Double.NaN;
  /** Of the last run. */
  private double brokerCpuMs = 0;

  private KafkaMain(String bootstrap, long process, String folder, KafkaForm form) {
    this.bootstrap = bootstrap;
    this.broker = ProcessHandle.of(process).orElseThrow();
    this.folder = folder;
    this.form = form;
  }

  public static void main(String[] args) throws Exception {
    if (args.length != 9 || !args[5].equals("t1-drain")) throw new IllegalArgumentException(USAGE);
    KafkaBroker.endWithInput();
    KafkaForm form = KafkaForm.valueOf(args[4].toUpperCase());
    KafkaMain main = new KafkaMain(args[0], Long.parseLong(args[1]), args[2], form);
    FrameFile file = FrameFile.open(args[6]);
    KafkaTopic.fill(args[0], file);
    int first = file.framesOf(Long.parseLong(args[7]));
    double enough = Measurement.processCpuMs() + Double.parseDouble(args[3]);
    while (first > 0 && Measurement.processCpuMs() < enough) main.once(first);
    System.gc();
    Measurement cost = main.once(file.frames());
    Files.write(Path.of(args[8]), main.rows.stream().map(KafkaRow::line).toList());
    System.out.println(
        ("{\"version\":\"%s\",\"events\":%d,\"cpuMs\":%.1f,\"wallMs\":%.1f,\"deployCpuMs\":%.1f,\"serverCpuMs\":%.1f,"
            + "\"gcMs\":%d,\"rssMb\":%d}")
            .formatted(
                AppInfoParser.getVersion(),
                file.records(),
                cost.cpuMs(),
                cost.wallMs(),
                cost.deployCpuMs(),
                main.brokerCpuMs,
                cost.gcMs(),
                rssMb()));
  }

  /** From when the application asks for its first frame until it has worked on the last; its last commit comes after that. */
  private Measurement once(int frames) throws Exception {
    rows.clear();
    brokerCpuBefore = Double.NaN;
    try (KafkaJob job = new KafkaJob("t1-" + runs++, form, bootstrap, folder, frames, rows)) {
      Measurement cost = Measurement.of(() -> job.run(this::started));
      brokerCpuMs = cpuMsOf(broker) - brokerCpuBefore;
      return cost;
    }
  }

  private void started() {
    if (Double.isNaN(brokerCpuBefore)) brokerCpuBefore = cpuMsOf(broker);
    Measurement.startOnce();
  }

  private static double cpuMsOf(ProcessHandle process) {
    return process.info().totalCpuDuration().orElseThrow().toNanos() / 1e6;
  }

  /** The highest that the process has had, with the file that it has mapped and the heap that was touched in advance. */
  private static long rssMb() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status")))
      if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("\\D", "")) / 1024;
    return 0;
  }
}
