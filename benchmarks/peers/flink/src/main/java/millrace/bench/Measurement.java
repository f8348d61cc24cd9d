package millrace.bench;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.util.concurrent.atomic.AtomicInteger;

/** What one run cost: CPU of the whole process, wall time and pauses, from the first frame read to the end of the job. */
record Measurement(double cpuMs, double wallMs, long gcMs, double deployCpuMs, int checkpoints) {
  private record Moment(long cpuNs, long wallNs, long gcMs) {
    static Moment now() {
      long gcMs = 0;
      for (GarbageCollectorMXBean gc : ManagementFactory.getGarbageCollectorMXBeans()) gcMs += gc.getCollectionTime();
      return new Moment(PROCESS.getProcessCpuTime(), System.nanoTime(), gcMs);
    }
  }

  interface Job {
    void run() throws Exception;
  }

  private static final OperatingSystemMXBean PROCESS =
      (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
  private static final AtomicInteger CHECKPOINTS = new AtomicInteger();
  private static volatile Moment firstFrame;

  /** Called by every reader for every frame; the first call of a run starts the clock. */
  static void startOnce() {
    if (firstFrame != null) return;
    synchronized (Measurement.class) {
      if (firstFrame == null) firstFrame = Moment.now();
    }
  }

  /** CPU time of this process so far, all threads, ms. */
  static double processCpuMs() {
    return PROCESS.getProcessCpuTime() / 1e6;
  }

  static void checkpointed() {
    CHECKPOINTS.incrementAndGet();
  }

  /** Runs a job to its end. Deploying it is not part of what is measured, but told beside it. */
  static Measurement of(Job job) throws Exception {
    CHECKPOINTS.set(0);
    firstFrame = null;
    Moment before = Moment.now();
    job.run();
    Moment after = Moment.now();
    Moment first = firstFrame;
    return new Measurement(
        (after.cpuNs - first.cpuNs) / 1e6,
        (after.wallNs - first.wallNs) / 1e6,
        after.gcMs - first.gcMs,
        (first.cpuNs - before.cpuNs) / 1e6,
        CHECKPOINTS.get());
  }
}
