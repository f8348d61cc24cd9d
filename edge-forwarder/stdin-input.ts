import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { errorText, hasCode, parseJsonRecord, type Schema } from '#wire';
import type { Input, InputPort } from './input.ts';
import { LineSplitter } from './line-splitter.ts';

/** Bytes of one turn between two looks at the outbox and the event loop. */
const SLICE_BYTES = 16 * 1024;

export interface StdinInputOptions<Row> {
  readonly stream: Readable;
  readonly schema: Schema<Row>;
  /** A longer line is rejected. */
  readonly lineBytesMax: number;
  /** The same lines are fed again after a restart: skip those that are stored already. Otherwise every run is a new stream. */
  readonly resume: boolean;
}

/**
 * JSON lines from a stream, one record each. Empty lines count as lines but are no records. Reading stops while the outbox
 * has no room. Suspends between slices only.
 */
export function stdinInput<Row>(options: StdinInputOptions<Row>): Input<Row> {
  return {
    name: 'stdin',
    origin: '',
    async run(port, signal) {
      const { stream } = options;
      const splitter = lineSplitter(options, port);
      const stop = () => stream.destroy();
      signal.addEventListener('abort', stop, { once: true });
      try {
        for await (const chunk of stream as AsyncIterable<Buffer>) {
          for (let at = 0; at < chunk.length && !signal.aborted; at += SLICE_BYTES) {
            splitter.push(chunk.subarray(at, at + SLICE_BYTES));
            await (port.blocked() ?? setImmediate());
          }
        }
        if (!signal.aborted) splitter.end();
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        signal.removeEventListener('abort', stop);
      }
    },
  };
}

function lineSplitter<Row>(
  { schema, lineBytesMax, resume }: StdinInputOptions<Row>,
  port: InputPort<Row>,
): LineSplitter {
  let toSkip = resume ? port.position : 0;
  const fresh = () => toSkip === 0 || toSkip-- === 0;
  return new LineSplitter(lineBytesMax, {
    line(bytes) {
      if (!fresh()) return;
      if (bytes.length === 0) return port.skip();
      if (!isUtf8(bytes)) return port.reject('the line is not UTF-8', bytes.toString('latin1'));
      const text = bytes.toString('utf8');
      try {
        port.accept(parseJsonRecord(schema, text));
      } catch (error) {
        if (!hasCode(error, 'MR_RECORD_INVALID')) throw error;
        port.reject(errorText(error), text);
      }
    },
    tooLong(head) {
      if (fresh())
        port.reject(`the line is longer than ${lineBytesMax} bytes`, head.toString('latin1', 0, 200));
    },
  });
}
