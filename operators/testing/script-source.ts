import {
  MIN_WATERMARK,
  minusSaturating,
  type Element,
  type Source,
  type SourceContext,
  type SourceReader,
} from '#engine';
import { BatchBuilder, decodeFrame, encodeFrame, type Schema } from '#wire';
import { isMarker, type TestInput } from './script.ts';

/** How far a scripted source may go; moved on by the harness, one element at a time. */
export interface ScriptCursor {
  /** Elements that may be given. */
  limit: number;
  /** The input ends after its last element. */
  ends: boolean;
}

interface ScriptPosition {
  readonly next: number;
  readonly newestMs: number;
  /** Said last; a restored source says it again, as a real one does. */
  readonly watermark: number;
  readonly idle: boolean;
}

/**
 * Gives a script's elements. Every subtask walks the whole script, so that all have the same position; record n is given by
 * subtask `n mod parallelism`, watermarks and idleness by all.
 */
export function scriptSource(script: TestInput, cursor: ScriptCursor): Source<unknown> {
  return {
    kind: 'script',
    target: 'test input',
    open: async (context) => new ScriptReader(script, cursor, context),
  };
}

class ScriptReader implements SourceReader {
  readonly #script: TestInput;
  readonly #cursor: ScriptCursor;
  readonly #context: SourceContext;
  readonly #queued: Element[] = [];
  #next = 0;
  #newestMs = Number.NEGATIVE_INFINITY;
  #watermark = MIN_WATERMARK;
  #idle = false;
  #ended = false;

  constructor(script: TestInput, cursor: ScriptCursor, context: SourceContext) {
    this.#script = script;
    this.#cursor = cursor;
    this.#context = context;
    const [restored] = context.restored as readonly ScriptPosition[];
    if (restored === undefined) return;
    this.#next = restored.next;
    this.#newestMs = restored.newestMs;
    this.#queueWatermark(restored.watermark);
    if (restored.idle) this.#queueIdle();
  }

  poll(): Element | null {
    for (;;) {
      const queued = this.#queued.shift();
      if (queued !== undefined) return queued;
      if (this.#next >= Math.min(this.#cursor.limit, this.#script.elements.length)) return this.#end();
      this.#give(this.#next++);
    }
  }

  snapshot(): ReturnType<SourceReader['snapshot']> {
    const position: ScriptPosition = {
      next: this.#next,
      newestMs: this.#newestMs,
      watermark: this.#watermark,
      idle: this.#idle,
    };
    return { items: [position], positions: [] };
  }

  status(): ReturnType<SourceReader['status']> {
    return [];
  }

  async close(): Promise<void> {}

  #end(): Element | null {
    if (!this.#cursor.ends || this.#ended || this.#next < this.#script.elements.length) return null;
    this.#ended = true;
    return { kind: 'end' };
  }

  #give(index: number): void {
    const element = this.#script.elements[index];
    if (!isMarker(element)) {
      const time = this.#script.timeOf(element);
      this.#newestMs = Math.max(this.#newestMs, time);
      this.#idle = false;
      if (index % this.#context.parallelism === this.#context.subtask)
        this.#queued.push({ kind: 'records', records: recordsOf(element, time, this.#script.schema) });
      if (this.#script.watermarks === 'from-records')
        this.#queueWatermark(minusSaturating(this.#newestMs, this.#context.options.outOfOrdernessMs + 1));
    } else if (element.marker === 'watermark') this.#queueWatermark(element.time);
    else if (element.marker === 'idle') this.#queueIdle();
  }

  #queueWatermark(time: number): void {
    if (time <= this.#watermark) return;
    this.#watermark = time;
    this.#idle = false;
    this.#queued.push({ kind: 'watermark', time });
  }

  #queueIdle(): void {
    this.#idle = true;
    this.#queued.push({ kind: 'idle' });
  }
}

/** One record, through its codec where it has one. */
function recordsOf(
  record: unknown,
  time: number,
  schema: Schema | null,
): Extract<Element, { kind: 'records' }>['records'] {
  if (schema === null) return { kind: 'rows', rows: [record], times: Float64Array.of(time) };
  const builder = new BatchBuilder(schema);
  builder.append(record);
  const frame = encodeFrame(builder.finish(), {
    producer: 'test',
    epoch: 1,
    prev: 0,
    first: 1,
    compression: 'none',
  });
  return { kind: 'columns', batch: decodeFrame(frame, () => schema).batch, selection: null };
}
