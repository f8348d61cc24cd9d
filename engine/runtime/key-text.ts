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

type Expect = FieldKeySpace['expect'];

/** Where a string's number comes from. */
interface NumberSource {
  readonly holder: StringNumbers;
  /** Is told the numbers of a batch before its records. */
  readonly expect: Expect | null;
  /** Text that refuses a null. */
  readonly ofNull: string;
}

/**
 * Per column of a batch, the number that each dictionary code has got in this batch, −1 = not looked up yet, or not held. Valid for one
 * batch: numbers may be reused afterwards (ST1).
 */
class CodeCache {
  readonly #holder: StringNumbers;
  readonly #expect: Expect | null;
  #numbers = new Int32Array(1024);
  /** Of a batch's records, those that came so far. */
  #share = 1;

  constructor(holder: StringNumbers, expect: Expect | null) {
    this.#holder = holder;
    this.#expect = expect;
  }

  /** When most entries will be asked for they are looked up together, which costs less than one by one. */
  fresh(dictionary: StringDictionary, count: number): Int32Array {
    const { size } = dictionary;
    if (size > this.#numbers.length) this.#numbers = new Int32Array(Math.max(size, this.#numbers.length * 2));
    if (count * this.#share >= size) {
      this.#holder.findEntries(dictionary, this.#numbers);
      this.#expect?.(this.#numbers, size);
    } else this.#numbers.fill(-1, 0, size);
    return this.#numbers;
  }

  /** How many records of a batch have asked, where that may be less than all. */
  asked(records: number, count: number): void {
    this.#share = records / count;
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
  if (strings !== null) {
    const ofNull = `${keys}.slotOfKey(null)`;
    return writeNumber(writer, row, strings, { holder: space, expect: null, ofNull });
  }
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
  if (strings !== null) {
    const holder = space.components[component] as StringNumbers;
    // With one field its ids are the slots.
    const expect = space.tupleWidth === 0 && !writer.leavesRecords ? space.expect : null;
    return writeNumber(writer, row, strings, { holder, expect, ofNull });
  }
  const cell = row.cell(field);
  const id = writer.local('id');
  writer.line(`const ${id} = ${keys}.componentId(${component}, ${cell});`);
  return id;
}

function writeNumber(
  writer: LoopWriter,
  row: RowText,
  { codes, dictionary, isNull }: StringsText,
  { holder, expect, ofNull }: NumberSource,
): string {
  const cache = writer.bind('cache', new CodeCache(holder, expect));
  const known = `known_${cache}`;
  writer.setup(`const ${known} = ${cache}.fresh(${dictionary}, n);`);
  writer.setup(`const hashes_${dictionary} = ${dictionary}.hashes();`);
  if (isNull !== null) writer.line(`if (${isNull}) ${ofNull};`);
  if (writer.leavesRecords) {
    writer.setup(`let asked_${cache} = 0;`);
    writer.line(`asked_${cache}++;`);
    writer.teardown(`${cache}.asked(asked_${cache}, n);`);
  }
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
