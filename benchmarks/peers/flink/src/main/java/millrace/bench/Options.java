package millrace.bench;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * What the command line asks for.
 *
 * @param warmup how many of the first events the runs before go over; 0 for no such runs
 * @param warmupMs CPU time for which they are repeated: a busy machine compiles later, and is not to warm up less
 * @param checkpointMs 0 for none
 * @param chained whether keyed operators run without an exchange; by default with one slot
 * @param allColumns decodes columns that the query does not need too
 * @param lines file for the results as text, or null
 */
record Options(
    String workload,
    String file,
    int parallelism,
    long warmup,
    long warmupMs,
    int checkpointMs,
    int watermarkMs,
    boolean chained,
    boolean allColumns,
    String lines) {
  private static final Set<String> KNOWN =
      Set.of(
          "--parallelism", "--warmup", "--warmup-ms", "--checkpoint-ms", "--watermark-ms", "--exchange", "--columns",
          "--lines");
  private static final String USAGE =
      "<t1|q0|q1|q2|q3|q4|q5|q7|q8|q11|q11-windows|q18> <file> [--parallelism 1|2] [--warmup n] [--warmup-ms 20000]"
          + " [--checkpoint-ms 1000|0] [--watermark-ms 200] [--exchange none|hash] [--columns needed|all] [--lines file]";

  static Options parse(String[] args) {
    if (args.length < 2 || args.length % 2 != 0) throw new IllegalArgumentException(USAGE);
    if (!Workloads.BY_NAME.containsKey(args[0])) throw new IllegalArgumentException("unknown workload; " + USAGE);
    Map<String, String> given = new HashMap<>();
    for (int i = 2; i < args.length; i += 2) {
      if (!KNOWN.contains(args[i])) throw new IllegalArgumentException("unknown option " + args[i] + "; " + USAGE);
      given.put(args[i], args[i + 1]);
    }
    int parallelism = Integer.parseInt(given.getOrDefault("--parallelism", "1"));
    String exchange = given.getOrDefault("--exchange", parallelism == 1 ? "none" : "hash");
    if (!Arrays.asList("none", "hash").contains(exchange) || (exchange.equals("none") && parallelism > 1))
      throw new IllegalArgumentException("without an exchange keys can live in one slot only; " + USAGE);
    return new Options(
        args[0],
        args[1],
        parallelism,
        Long.parseLong(given.getOrDefault("--warmup", "1000000")),
        Long.parseLong(given.getOrDefault("--warmup-ms", "20000")),
        Integer.parseInt(given.getOrDefault("--checkpoint-ms", "1000")),
        Integer.parseInt(given.getOrDefault("--watermark-ms", "200")),
        exchange.equals("none"),
        given.getOrDefault("--columns", "needed").equals("all"),
        given.get("--lines"));
  }
}
