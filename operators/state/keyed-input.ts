import {
  argumentText,
  type KeySelector,
  type LoopWriter,
  type OperatorContext,
  type RowConsumer,
  type RowFunction,
  type RowLoop,
  type RowText,
  writeKeySlot,
} from '#engine';
import { recordLoop } from '../record-loop.ts';
import type { KeyedRuntime } from './keyed-runtime.ts';

/** What takes the records of one input, each with its key's slot. */
type OnKeyedRecord = (row: unknown, time: number, slot: number) => void;

/**
 * The loop of one keyed input: finds each record's key and hands it on, with the fields that the user's function reads.
 * @param selector of this input, where several share the keys
 */
export function keyedInput(
  context: OperatorContext,
  runtime: KeyedRuntime,
  input: {
    readonly index: number;
    readonly name: string;
    readonly selector: KeySelector;
    readonly user: RowFunction;
    readonly onRecord: OnKeyedRecord;
  },
): RowLoop {
  const { selector, user, onRecord } = input;
  const consumer: RowConsumer = {
    accept: (row, time) => onRecord(row, time, runtime.keys.slotOfRow(row, selector)),
    generate(writer: LoopWriter, row: RowText) {
      const slot = writeKeySlot(writer, row, runtime.keys, selector);
      const record = argumentText(row, user);
      writer.line(`${writer.bind('onRecord', onRecord)}(${record}, ${row.time}, ${slot});`);
    },
  };
  return recordLoop(context, consumer, input);
}

/** The loop of an input without a key. */
export function plainInput(
  context: OperatorContext,
  input: { readonly index: number; readonly name: string },
  accept: (row: unknown, time: number) => void,
): RowLoop {
  return recordLoop(context, { accept }, input);
}
