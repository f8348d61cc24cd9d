import { MIN_WATERMARK } from '../time/watermark.ts';
import type { Operator, Output } from './operator.ts';
import { recordCount } from './row-loop.ts';
import type { SourceReader } from './source.ts';

/** Counts what one operator's subtask takes and gives, per batch, never per record. */
export class MemberMeter {
  readonly id: string;
  readonly subtask: number;
  operator: Operator | null = null;
  reader: SourceReader | null = null;
  recordsIn = 0;
  recordsOut = 0;
  deadLetters = 0;
  watermark = MIN_WATERMARK;

  constructor(id: string, subtask: number) {
    this.id = id;
    this.subtask = subtask;
  }

  /** The operator's input, counted. */
  counting(inner: Output): Output {
    return {
      records: (records) => {
        this.recordsIn += recordCount(records);
        inner.records(records);
      },
      watermark: (time) => {
        this.watermark = Math.max(this.watermark, time);
        inner.watermark(time);
      },
      idle: () => inner.idle(),
    };
  }

  /** The operator's output, counted. */
  emitting(inner: Output): Output {
    return {
      records: (records) => {
        this.recordsOut += recordCount(records);
        inner.records(records);
      },
      watermark: (time) => inner.watermark(time),
      idle: () => inner.idle(),
    };
  }
}
