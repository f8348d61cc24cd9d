import { generate, type GenerationOptions } from '../wire/code-generation.ts';

/** Where the values of one field lie, key by key. */
type FieldList = ArrayLike<unknown>;

/** The values of one field while they are worked with: numbers outside of the heap, or whatever comes. */
export type FieldColumn = Float64Array | unknown[];

/**
 * Puts each field of a value into its column, at `index`, which all columns reach to; false, with nothing done, when it has another shape.
 * Columns go by the names; one of numbers gives way to a list when something else comes. One that grew by what is put into it would have V8
 * give up the fast way for all.
 */
type TakeApart = (value: unknown, columns: FieldColumn[], index: number) => boolean;
/** A value with the fields that are in the lists at `index`. */
type PutTogether = (lists: readonly FieldList[], index: number) => unknown;

/** More fields, and an object is better kept as it is. */
const FIELDS_MAX = 32;
/** Shapes that a thread remembers; beyond, all are forgotten at once. */
const REMEMBERED_MAX = 256;

/**
 * What flat objects have in common, so that many are stored as one list per field: plain, with the same names in the same order, and
 * nothing but scalars, null and undefined in them.
 */
export class ValueShape {
  readonly names: readonly string[];
  readonly takeApart: TakeApart;
  readonly putTogether: PutTogether;

  constructor(names: readonly string[], options: GenerationOptions = {}) {
    const isGenerated = options.codeGeneration !== 'never';
    this.names = names;
    this.takeApart = (isGenerated ? generateTakeApart(names) : null) ?? interpretTakeApart(names);
    this.putTogether = (isGenerated ? generatePutTogether(names) : null) ?? interpretPutTogether(names);
  }

  /** The shape with these names, which {@link ValueShape.ofValue} has given once. */
  static ofNames(names: readonly string[]): ValueShape {
    const text = JSON.stringify(names);
    let shape = shapes.get(text);
    if (shape === undefined) {
      shape = new ValueShape(names);
      if (shapes.size >= REMEMBERED_MAX) shapes.clear();
      shapes.set(text, shape);
    }
    return shape;
  }

  /** The shape of a value, or null where it has none. */
  static ofValue(value: unknown): ValueShape | null {
    if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
      return null;
    const names = Object.keys(value);
    // In a literal this name is the prototype.
    if (names.length === 0 || names.length > FIELDS_MAX || names.includes('__proto__')) return null;
    return ValueShape.ofNames(names);
  }
}

const shapes = new Map<string, ValueShape>();

/** The same columns with room for more. Without holes: V8 looks for what is missing in a list along its prototypes. */
export function grownColumns(columns: readonly FieldColumn[], length: number): FieldColumn[] {
  return columns.map((column) => {
    if (Array.isArray(column)) {
      while (column.length < length) column.push(undefined);
      return column;
    }
    const numbers = new Float64Array(length);
    numbers.set(column);
    return numbers;
  });
}

/** A column that takes what comes. */
function asList(column: FieldColumn): unknown[] {
  return Array.isArray(column) ? column : Array.from(column);
}

function isFlat(value: unknown): boolean {
  switch (typeof value) {
    case 'object':
      return value === null;
    case 'function':
    case 'symbol':
      return false;
    default:
      return true;
  }
}

/** Fields are read before the prototype is looked at: V8 knows the object's class by then, and with it the prototype, at no cost. */
function generateTakeApart(names: readonly string[]): TakeApart | null {
  const body = [
    `const names = ${JSON.stringify(names)};`,
    'const plain = Object.prototype, prototypeOf = Object.getPrototypeOf;',
    'return function takeApart(value, columns, index) {',
    "if (typeof value !== 'object' || value === null) return false;",
    ...names.map((name, f) => `const v${f} = value[${JSON.stringify(name)}];`),
    'if (prototypeOf(value) !== plain) return false;',
    'let j = 0;',
    'for (const name in value) if (name !== names[j++]) return false;',
    `if (j !== ${names.length}) return false;`,
    ...names.map((_, f) => `if (typeof v${f} !== 'number' && !isFlat(v${f})) return false;`),
    ...names.map((_, f) => `if (typeof v${f} !== 'number') columns[${f}] = asList(columns[${f}]);`),
    ...names.map((_, f) => `columns[${f}][index] = v${f};`),
    'return true;',
    '};',
  ].join('\n');
  return generate('state/take-apart', { isFlat, asList }, body);
}

function generatePutTogether(names: readonly string[]): PutTogether | null {
  const fields = names.map((name, f) => `${JSON.stringify(name)}: lists[${f}][index]`);
  return generate(
    'state/put-together',
    {},
    `return function putTogether(lists, index) { return { ${fields.join(', ')} }; };`,
  );
}

function interpretTakeApart(names: readonly string[]): TakeApart {
  return (value, columns, index) => {
    if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
      return false;
    const own = Object.keys(value);
    if (own.length !== names.length || own.some((name, f) => name !== names[f])) return false;
    const fields = Object.values(value) as unknown[];
    if (!fields.every(isFlat)) return false;
    for (const [f, field] of fields.entries()) {
      if (typeof field !== 'number') columns[f] = asList(columns[f] as FieldColumn);
      (columns[f] as FieldColumn)[index] = field;
    }
    return true;
  };
}

function interpretPutTogether(names: readonly string[]): PutTogether {
  return (lists, index) => Object.fromEntries(names.map((name, f) => [name, lists[f]?.[index]]));
}
