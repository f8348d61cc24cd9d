import { MIN_WATERMARK } from '../time/watermark.ts';
import type { MultiInputOperator, Operator, Output } from './operator.ts';
import { recordCount } from './record-at.ts';
import type { SourceReader } from './source.ts';

/** Counts what one operator's subtask takes and gives, per batch, never per record. */
export class MemberMeter {
  readonly id: string;
  readonly subtask: number;
  operator: Operator | MultiInputOperator | null = null;
  reader: SourceReader | null = null;
  recordsIn = 0;
  recordsOut = 0;
  deadLetters = 0;
  /** Per input. */
  readonly watermarks: number[] = [];

  constructor(id: string, subtask: number) {
    this.id = id;
    this.subtask = subtask;
  }

  /** Event time that has reached all inputs. */
  get watermark(): number {
    return this.watermarks.length === 0 ? MIN_WATERMARK : Math.min(...this.watermarks);
  }

  /** One of the operator's inputs, counted. */
  counting(inner: Output): Output {
    const input = this.watermarks.push(MIN_WATERMARK) - 1;
    return {
      records: (records) => {
        this.recordsIn += recordCount(records);
        inner.records(records);
      },
      watermark: (time) => {
        this.watermarks[input] = Math.max(this.watermarks[input] as number, time);
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
