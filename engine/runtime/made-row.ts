import { closedFields, closedResult, type ClosedText } from './closed-function.ts';
import type { LoopWriter } from './loop-writer.ts';
import { NO_FIELD, objectOf, resultOf, type RowText } from './row-text.ts';

type RowStep = (row: unknown) => unknown;

/** The row that a function makes of `row`; null where its text does not tell of which fields (CF1). */
export function mappedText(writer: LoopWriter, row: RowText, run: RowStep): RowText | null {
  const made = closedFields(run, row);
  return made === null ? null : madeText(writer, row, made, { keeps: false, again: run });
}

/** `row` with more fields. */
export function derivedText(
  writer: LoopWriter,
  row: RowText,
  derived: ReadonlyMap<string, RowStep>,
): RowText {
  const made = new Map([...derived].map(([name, run]) => [name, resultOf(writer, row, 'derive', run)]));
  const isClosed = [...derived.values()].every((run) => closedResult(run, row) !== null);
  return madeText(writer, row, made, { keeps: true, again: isClosed ? withDerived(derived) : null });
}

/** What `derive` does with a row. */
export function withDerived(derived: ReadonlyMap<string, RowStep>): RowStep {
  return (row) => {
    const made = [...derived].map(([name, run]) => [name, run(row)]);
    return Object.assign({}, row, Object.fromEntries(made));
  };
}

/**
 * A row with fields made of those of `row`: what is passed on stays the column that it is, and the object is made only where one is asked
 * for.
 * @param how whether the other fields of `row` are its own too, and the step, unless it may be done once only
 */
function madeText(
  writer: LoopWriter,
  row: RowText,
  made: ReadonlyMap<string, ClosedText>,
  how: { readonly keeps: boolean; readonly again: RowStep | null },
): RowText {
  let local: string | null = null;
  const { keeps, again } = how;
  const parts = new Map([...made].map(([name, part]) => [name, inLocal(writer, part)]));
  const names = [...made.keys()];
  const fields = !keeps ? names : row.fields === null ? null : [...new Set([...row.fields, ...names])];
  /** Where it comes from unchanged. */
  const sourceOf = (name: string) => (parts.has(name) ? parts.get(name)?.field : keeps ? name : null) ?? null;
  const cell = (name: string) => parts.get(name)?.text() ?? (keeps ? row.cell(name) : 'undefined');
  return {
    time: row.time,
    isMade: () => local !== null,
    object: () => {
      if (local === null) {
        const literal = objectOf(fields ?? names, cell);
        // Object spread would make a dictionary of every row.
        const object = fields === null ? `Object.assign({}, ${row.object()}, ${literal})` : literal;
        local = writer.local('row');
        writer.line(`const ${local} = ${object};`);
      }
      return local;
    },
    again: () => {
      const base = again === null ? null : row.again();
      return base === null ? null : `${writer.bind('again', again)}(${base})`;
    },
    field: (name) => {
      const source = sourceOf(name);
      if (source !== null) return row.field(source);
      return parts.has(name) ? { value: cell(name), isNull: `${cell(name)} == null` } : NO_FIELD;
    },
    cell,
    holds: (name) => parts.get(name)?.holds ?? (keeps ? row.holds(name) : null),
    columns: row.columns && {
      index: row.columns.index,
      strings: (name) => {
        const source = sourceOf(name);
        return source === null ? null : (row.columns?.strings(source) ?? null);
      },
    },
    isInput: false,
    fields,
  };
}

/** The same once computed: at once where it may throw, else where it is first asked for, which must not be inside of a block. */
function inLocal(writer: LoopWriter, part: ClosedText): ClosedText {
  if (part.field !== null) return part;
  let local: string | null = null;
  const text = () => {
    if (local === null) {
      const value = part.text();
      local = writer.local('made');
      writer.line(`const ${local} = ${value};`);
    }
    return local;
  };
  if (part.mayThrow) text();
  return { ...part, text };
}
