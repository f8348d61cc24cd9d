import { inspect } from 'node:util';
import { type Clock, type JobGraph, recordCount, rowAt, type Sink, type SinkInput } from '#engine';

/** Lines of records in one second, of all sinks together; a busy job would hide everything else. */
const LINES_MAX = 20;
const WINDOW_MS = 1_000;
const CHARS_MAX = 300;

/**
 * Shows the records that reach a job's sinks, as lines, and counts those that there is no room for.
 * Owns the budget of the current second. Suspends nowhere.
 */
export class ShownRecords {
  readonly #clock: Clock;
  readonly #show: (line: string) => void;
  readonly #unseen = new Map<string, number>();
  #left = LINES_MAX;
  #pending = false;

  constructor(clock: Clock, show: (line: string) => void) {
    this.#clock = clock;
    this.#show = show;
  }

  /** The same job, whose sinks show what they are given before they write it. */
  showing(graph: JobGraph): JobGraph {
    const nodes = graph.nodes.map((node) =>
      node.kind === 'sink'
        ? { ...node, sink: shownSink(node.sink, (input) => this.#input(node.id, input)) }
        : node,
    );
    return { ...graph, nodes };
  }

  record(where: string, row: unknown, why?: string): void {
    this.#openWindow();
    if (this.#left > 0) {
      this.#left--;
      this.#show(cut(`${where} ${recordText(row)}${why === undefined ? '' : `: ${why}`}`));
    } else this.#unseen.set(where, (this.#unseen.get(where) ?? 0) + 1);
  }

  #input(sink: string, input: SinkInput<unknown>): void {
    this.#openWindow();
    const count = recordCount(input);
    const shown = Math.min(count, this.#left);
    for (let i = 0; i < shown; i++) this.record(sink, rowAt(input, i));
    if (count > shown) this.#unseen.set(sink, (this.#unseen.get(sink) ?? 0) + count - shown);
  }

  #openWindow(): void {
    if (this.#pending) return;
    this.#pending = true;
    this.#clock.after(WINDOW_MS, () => {
      this.#pending = false;
      this.#left = LINES_MAX;
      for (const [where, count] of this.#unseen)
        this.#show(`${where} … and ${count.toLocaleString('en')} more`);
      this.#unseen.clear();
    });
  }
}

function shownSink(sink: Sink<unknown>, show: (input: SinkInput<unknown>) => void): Sink<unknown> {
  const openCommitter = sink.openCommitter?.bind(sink);
  return {
    kind: sink.kind,
    guarantee: sink.guarantee,
    target: sink.target,
    ...(openCommitter === undefined ? {} : { openCommitter }),
    async openWriter(context) {
      const writer = await sink.openWriter(context);
      return {
        write(input) {
          show(input);
          return writer.write(input);
        },
        prepareCommit: (checkpoint) => writer.prepareCommit(checkpoint),
        onWatermark: (watermark) => writer.onWatermark?.(watermark),
        stats: () => writer.stats?.() ?? {},
        close: () => writer.close(),
      };
    },
  };
}

function recordText(row: unknown): string {
  return inspect(row, {
    breakLength: Number.POSITIVE_INFINITY,
    compact: true,
    depth: 4,
    maxArrayLength: 10,
    maxStringLength: 100,
  });
}

function cut(line: string): string {
  return line.length > CHARS_MAX ? `${line.slice(0, CHARS_MAX)}…` : line;
}
