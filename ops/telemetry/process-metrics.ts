import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks';

/** Figures of this process, not of a job. */
export const PROCESS_METRICS = [
  { name: 'millrace_process_resident_memory_bytes', help: 'Resident memory of the engine process' },
  { name: 'millrace_process_heap_used_bytes', help: 'JavaScript heap in use' },
  {
    name: 'millrace_process_event_loop_utilization',
    help: 'Share of time the event loop was busy since the last reading',
  },
  {
    name: 'millrace_process_event_loop_delay_seconds',
    help: 'Longest delay of the event loop since the last reading',
  },
  {
    name: 'millrace_metrics_series_dropped',
    help: 'Series left out of this reading because the process has too many',
  },
] as const;

/** Reads them in the order of {@link PROCESS_METRICS}, but for the last, which the reader of all metrics knows. */
export class ProcessReadings {
  readonly #delay = monitorEventLoopDelay({ resolution: 20 });
  #utilization: EventLoopUtilization = performance.eventLoopUtilization();

  constructor() {
    this.#delay.enable();
  }

  read(): readonly number[] {
    const memory = process.memoryUsage();
    const since = performance.eventLoopUtilization(this.#utilization);
    this.#utilization = performance.eventLoopUtilization();
    const delaySeconds = this.#delay.count === 0 ? 0 : this.#delay.max / 1e9;
    this.#delay.reset();
    return [memory.rss, memory.heapUsed, since.utilization, delaySeconds];
  }

  stop(): void {
    this.#delay.disable();
  }
}
