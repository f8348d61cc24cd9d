import type { FieldKeySpace, KeySelector } from '../state/key-space.ts';
import type { ScalarInterner } from '../state/scalar-interner.ts';
import type { ValueKeySpace } from '../state/value-key-space.ts';
import type { StringDictionary } from '../wire/string-dictionary.ts';
import type { LoopWriter } from './loop-writer.ts';
import { argumentText, type RowText } from './row-text.ts';

/**
 * Per column of a batch, the id that each dictionary code has got in this batch, −1 = not looked up yet, or not held. Valid for one
 * batch: ids may be reused afterwards (ST1).
 */
class CodeCache {
  readonly #interner: ScalarInterner;
  #ids = new Int32Array(1024);

  constructor(interner: ScalarInterner) {
    this.#interner = interner;
  }

  /** @param all whether most entries will be asked for: then they are looked up together, which costs less than one by one */
  fresh(dictionary: StringDictionary, all: boolean): Int32Array {
    const { size } = dictionary;
    if (size > this.#ids.length) this.#ids = new Int32Array(Math.max(size, this.#ids.length * 2));
    if (all) this.#interner.findEntries(dictionary, this.#ids);
    else this.#ids.fill(-1, 0, size);
    return this.#ids;
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
  const slot = writer.local('slot');
  if (selector.kind === 'function') {
    writer.line(
      `const ${slot} = ${keys}.slotOfKey(${writer.bind('select', selector.select)}(${argumentText(row, selector.select)}));`,
    );
    return slot;
  }
  const ids = selector.fields.map((field, component) =>
    writeComponentId(writer, row, space as FieldKeySpace, keys, field, component),
  );
  if (ids.length <= 2) writer.line(`const ${slot} = ${keys}.slotOf${ids.length}(${ids.join(', ')});`);
  else writer.line(`const ${slot} = ${keys}.slotOfIds([${ids.join(', ')}]);`);
  return slot;
}

function writeComponentId(
  writer: LoopWriter,
  row: RowText,
  space: FieldKeySpace,
  keys: string,
  field: string,
  component: number,
): string {
  const strings = row.columns?.strings(field) ?? null;
  const id = writer.local('id');
  if (strings === null) {
    const { value, isNull } = row.field(field);
    // What an object has there is told of as it is.
    const raw = row.columns === null || isNull === null ? value : `${isNull} ? null : ${value}`;
    writer.line(`const ${id} = ${keys}.componentId(${component}, ${raw});`);
    return id;
  }
  const { codes, dictionary, isNull } = strings;
  const interner = space.components[component] as ScalarInterner;
  const cache = writer.bind('cache', new CodeCache(interner));
  const known = `known_${cache}`;
  const all = writer.leavesRecords ? 'false' : `n >= ${dictionary}.size`;
  writer.setup(`const ${known} = ${cache}.fresh(${dictionary}, ${all});`);
  if (space.tupleWidth === 0 && !writer.leavesRecords)
    writer.setup(`if (${all}) ${keys}.expect(${known}, ${dictionary}.size);`);
  writer.setup(`const hashes_${dictionary} = ${dictionary}.hashes();`);
  if (isNull !== null) writer.line(`if (${isNull}) ${keys}.componentId(${component}, null);`);
  const held = writer.bind('component', interner);
  const code = writer.local('code');
  writer.line(`const ${code} = ${codes}[${row.columns?.index}];`);
  writer.line(`let ${id} = ${known}[${code}];`);
  writer.line(
    `if (${id} < 0) ${id} = ${known}[${code}] = ${held}.internEntry(${dictionary}, ${code}, hashes_${dictionary}[${code}]);`,
  );
  return id;
}
