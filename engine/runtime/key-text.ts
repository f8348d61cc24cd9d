import type { FieldKeySpace, KeySelector } from '../state/key-space.ts';
import type { ValueKeySpace } from '../state/value-key-space.ts';
import type { StringDictionary } from '../wire/string-dictionary.ts';
import type { LoopWriter } from './loop-writer.ts';
import { resultOf, type RowText, type StringsText } from './row-text.ts';

/** Numbers by strings: ids of a component's, or slots of keys. */
interface StringNumbers {
  readonly internEntry: (dictionary: StringDictionary, code: number, hash: number) => number;
  /** Those of all entries, −1 for what is not held. */
  readonly findEntries: (dictionary: StringDictionary, numbers: Int32Array) => void;
}

/**
 * Per column of a batch, the number that each dictionary code has got in this batch, −1 = not looked up yet, or not held. Valid for one
 * batch: numbers may be reused afterwards (ST1).
 */
class CodeCache {
  readonly #holder: StringNumbers;
  #numbers = new Int32Array(1024);

  constructor(holder: StringNumbers) {
    this.#holder = holder;
  }

  /** @param all whether most entries will be asked for: then they are looked up together, which costs less than one by one */
  fresh(dictionary: StringDictionary, all: boolean): Int32Array {
    const { size } = dictionary;
    if (size > this.#numbers.length)
      this.#numbers = new Int32Array(Math.max(size, this.#numbers.length * 2));
    if (all) this.#holder.findEntries(dictionary, this.#numbers);
    else this.#numbers.fill(-1, 0, size);
    return this.#numbers;
  }
}

/**
 * Writes text that puts the current record's key slot into a local; returns its name.
 * @param selector of this input, where several inputs share the keys; the fields are the same for all
 */
export function writeKeySlot(
  writer: LoopWriter,
  row: RowText,
  space: FieldKeySpace | ValueKeySpace,
  selector: KeySelector = space.selector,
): string {
  const keys = writer.bind('keys', space);
  if (selector.kind === 'function') return writeKeyOf(writer, row, space as ValueKeySpace, selector.select);
  const ids = selector.fields.map((field, component) =>
    writeComponentId(writer, row, space as FieldKeySpace, field, component),
  );
  const slot = writer.local('slot');
  if (ids.length <= 2) writer.line(`const ${slot} = ${keys}.slotOf${ids.length}(${ids.join(', ')});`);
  else writer.line(`const ${slot} = ${keys}.slotOfIds([${ids.join(', ')}]);`);
  return slot;
}

function writeKeyOf(
  writer: LoopWriter,
  row: RowText,
  space: ValueKeySpace,
  select: (row: unknown) => unknown,
): string {
  const keys = writer.bind('keys', space);
  const key = resultOf(writer, row, 'select', select);
  const strings = key.field === null ? null : (row.columns?.strings(key.field) ?? null);
  if (strings !== null) return writeNumber(writer, row, strings, space, `${keys}.slotOfKey(null)`);
  const text = key.text();
  const slot = writer.local('slot');
  writer.line(`const ${slot} = ${keys}.slotOfKey(${text});`);
  return slot;
}

function writeComponentId(
  writer: LoopWriter,
  row: RowText,
  space: FieldKeySpace,
  field: string,
  component: number,
): string {
  const keys = writer.bind('keys', space);
  const ofNull = `${keys}.componentId(${component}, null)`;
  const strings = row.columns?.strings(field) ?? null;
  if (strings !== null)
    return writeNumber(writer, row, strings, space.components[component] as StringNumbers, ofNull);
  const cell = row.cell(field);
  const id = writer.local('id');
  writer.line(`const ${id} = ${keys}.componentId(${component}, ${cell});`);
  return id;
}

/** @param ofNull refuses a null */
function writeNumber(
  writer: LoopWriter,
  row: RowText,
  { codes, dictionary, isNull }: StringsText,
  holder: StringNumbers,
  ofNull: string,
): string {
  const cache = writer.bind('cache', new CodeCache(holder));
  const known = `known_${cache}`;
  const all = writer.leavesRecords ? 'false' : `n >= ${dictionary}.size`;
  writer.setup(`const ${known} = ${cache}.fresh(${dictionary}, ${all});`);
  if (space.tupleWidth === 0 && !writer.leavesRecords)
    writer.setup(`if (${all}) ${keys}.expect(${known}, ${dictionary}.size);`);
  writer.setup(`const hashes_${dictionary} = ${dictionary}.hashes();`);
  if (isNull !== null) writer.line(`if (${isNull}) ${ofNull};`);
  const held = writer.bind('held', holder);
  const code = writer.local('code');
  const number = writer.local('number');
  writer.line(`const ${code} = ${codes}[${row.columns?.index}];`);
  writer.line(`let ${number} = ${known}[${code}];`);
  writer.line(
    `if (${number} < 0) ${number} = ${known}[${code}] = ${held}.internEntry(${dictionary}, ${code}, hashes_${dictionary}[${code}]);`,
  );
  return number;
}
