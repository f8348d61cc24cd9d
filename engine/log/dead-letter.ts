import { eventTime, f64, type Infer, nullable, obj, schema, string } from '../wire/schema.ts';

/**
 * What the topic `<job>.dead-letter` holds: every record that could not be processed, with what went wrong and where. Written
 * exactly once, with the checkpoint that covers it.
 */
export const DeadLetter = schema('millrace-dead-letter', {
  /** Wall clock when it was refused, epoch ms. */
  at: eventTime(1),
  job: string(2),
  operator: string(3),
  /** Error code, or what the operator said. */
  reason: string(4),
  message: string(5),
  /** The record's own event time, where it has one. */
  recordTime: nullable(f64(6)),
  record: nullable(obj<unknown>(7)),
});

export type DeadLetter = Infer<typeof DeadLetter>;

/** Topic of a job's dead letters. */
export const deadLetterTopic = (job: string): string => `${job}.dead-letter`;
