package millrace.bench;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What the command line asks for.
 *
 * @param best the form that was chosen by hand; else the ordinary one
 * @param warmup how many of the first events the runs before go over; 0 for no such runs
 * @param warmupMs CPU time for which they are repeated: a busy machine compiles later, and is not to warm up less
 * @param checkpointMs 0 for none
 * @param allColumns decodes columns that the query does not need too
 * @param redis socket of the server that has the events in {@code stream}; null where they are read from the file
 * @param lines file for the results as text, or null
 */
record Options(
    String workload,
    String file,
    boolean best,
    int parallelism,
    long warmup,
    long warmupMs,
    int checkpointMs,
    int watermarkMs,
    boolean allColumns,
    String redis,
    String stream,
    String lines) {
  private static final Set<String> KNOWN =
      Set.of(
          "--form", "--parallelism", "--warmup", "--warmup-ms", "--checkpoint-ms", "--watermark-ms", "--columns",
          "--redis", "--stream", "--lines");
  private static final String USAGE =
      "<t1|t1-drain|t1-json|q0 to q22 without q10|edges> <file> [--form ordinary|best] [--parallelism 1|2] [--warmup n]"
          + " [--warmup-ms 20000] [--checkpoint-ms 1000|0] [--watermark-ms 200] [--columns needed|all]"
          + " [--redis socket --stream key, with t1-drain and t1-json] [--lines file]";

  static Options parse(String[] args) {
    if (args.length < 2 || args.length % 2 != 0) throw new IllegalArgumentException(USAGE);
    if (!Workloads.BY_NAME.containsKey(args[0])) throw new IllegalArgumentException("unknown workload; " + USAGE);
    Map<String, String> given = new HashMap<>();
    for (int i = 2; i < args.length; i += 2) {
      if (!KNOWN.contains(args[i])) throw new IllegalArgumentException("unknown option " + args[i] + "; " + USAGE);
      given.put(args[i], args[i + 1]);
    }
    String form = given.getOrDefault("--form", "ordinary");
    if (!List.of("ordinary", "best").contains(form)) throw new IllegalArgumentException("unknown form; " + USAGE);
    boolean fromRedis = args[0].equals("t1-drain") || args[0].equals("t1-json");
    if (fromRedis != given.containsKey("--redis") || fromRedis != given.containsKey("--stream"))
      throw new IllegalArgumentException("t1-drain and t1-json read from Redis, others from the file; " + USAGE);
    return new Options(
        args[0],
        args[1],
        form.equals("best"),
        Integer.parseInt(given.getOrDefault("--parallelism", "1")),
        Long.parseLong(given.getOrDefault("--warmup", "1000000")),
        Long.parseLong(given.getOrDefault("--warmup-ms", "20000")),
        Integer.parseInt(given.getOrDefault("--checkpoint-ms", "1000")),
        Integer.parseInt(given.getOrDefault("--watermark-ms", "200")),
        given.getOrDefault("--columns", "needed").equals("all"),
        given.get("--redis"),
        given.get("--stream"),
        given.get("--lines"));
  }
}
