import { invariant } from '#engine';
import type { AvroReader, AvroWriter } from './avro-bytes.ts';

/** An Avro schema, as far as Iceberg uses Avro. Attributes such as `field-id` and `logicalType` ride along. */
export type AvroType =
  | string
  | AvroRecord
  | AvroArray
  | AvroMap
  | AvroFixed
  | AvroAnnotated
  | readonly AvroType[];

export interface AvroRecord {
  readonly type: 'record';
  readonly name: string;
  readonly fields: readonly AvroField[];
}
export interface AvroField {
  readonly name: string;
  readonly type: AvroType;
  readonly default?: null;
  readonly 'field-id'?: number;
}
interface AvroArray {
  readonly type: 'array';
  readonly items: AvroType;
  readonly 'element-id'?: number;
  readonly logicalType?: string;
}
interface AvroMap {
  readonly type: 'map';
  readonly values: AvroType;
}
interface AvroFixed {
  readonly type: 'fixed';
  readonly name: string;
  readonly size: number;
}
/** A primitive with attributes: `{ type: 'int', logicalType: 'date' }`. */
interface AvroAnnotated {
  readonly type: 'boolean' | 'int' | 'long' | 'float' | 'double' | 'string' | 'bytes';
  readonly logicalType?: string;
  readonly 'adjust-to-utc'?: boolean;
}

/** Writes `value` as `type`; undefined counts as null. Records are objects by field name. */
export function writeValue(writer: AvroWriter, type: AvroType, value: unknown): void {
  if (typeof type === 'string') return writePrimitive(writer, type, value);
  if (isUnion(type)) return writeUnion(writer, type, value);
  switch (type.type) {
    case 'record':
      for (const field of type.fields)
        writeValue(writer, field.type, (value as Record<string, unknown>)[field.name]);
      return;
    case 'array':
      writeItems(writer, value as readonly unknown[], (item) => writeValue(writer, type.items, item));
      return;
    case 'map':
      writeItems(writer, Object.entries(value as Record<string, unknown>), ([key, item]) => {
        writer.text(key);
        writeValue(writer, type.values, item);
      });
      return;
    case 'fixed':
      invariant((value as Uint8Array).length === type.size, `fixed ${type.name} has ${type.size} bytes`);
      writer.raw(value as Uint8Array);
      return;
    default:
      writePrimitive(writer, type.type, value);
  }
}

/** Reads one value of `type`, a schema without open names (see {@link resolveNames}). Bytes are copied. */
export function readValue(reader: AvroReader, type: AvroType): unknown {
  if (typeof type === 'string') return readPrimitive(reader, type);
  if (isUnion(type)) {
    const branch = type[reader.count()];
    if (branch === undefined) throw new RangeError('a union branch does not exist');
    return readValue(reader, branch);
  }
  switch (type.type) {
    case 'record': {
      const record: Record<string, unknown> = {};
      for (const field of type.fields) record[field.name] = readValue(reader, field.type);
      return record;
    }
    case 'array': {
      const items: unknown[] = [];
      for (let count = reader.blockCount(); count > 0; count = reader.blockCount()) {
        for (let i = 0; i < count; i++) items.push(readValue(reader, type.items));
      }
      return items;
    }
    case 'map': {
      const entries: [string, unknown][] = [];
      for (let count = reader.blockCount(); count > 0; count = reader.blockCount()) {
        for (let i = 0; i < count; i++) entries.push([reader.text(), readValue(reader, type.values)]);
      }
      return Object.fromEntries(entries);
    }
    case 'fixed':
      return Uint8Array.from(reader.raw(type.size));
    default:
      return readPrimitive(reader, type.type);
  }
}

/** Puts named types (records, fixed) where a schema only names them. */
export function resolveNames(type: AvroType, names: Map<string, AvroType> = new Map()): AvroType {
  if (typeof type === 'string') return names.get(type) ?? type;
  if (isUnion(type)) return type.map((branch) => resolveNames(branch, names));
  switch (type.type) {
    case 'record': {
      const fields: AvroField[] = [];
      const record: AvroRecord = { ...type, fields };
      names.set(type.name, record);
      for (const field of type.fields) fields.push({ ...field, type: resolveNames(field.type, names) });
      return record;
    }
    case 'array':
      return { ...type, items: resolveNames(type.items, names) };
    case 'map':
      return { ...type, values: resolveNames(type.values, names) };
    case 'fixed':
      names.set(type.name, type);
      return type;
    default:
      return type;
  }
}

const isUnion = (type: Exclude<AvroType, string>): type is readonly AvroType[] => Array.isArray(type);

function writeUnion(writer: AvroWriter, branches: readonly AvroType[], value: unknown): void {
  const isNull = value === null || value === undefined;
  const index = branches.findIndex((branch) => (branch === 'null') === isNull);
  invariant(index >= 0, 'a union has a branch for the value');
  writer.long(index);
  if (!isNull) writeValue(writer, branches[index] as AvroType, value);
}

function writeItems<T>(writer: AvroWriter, items: readonly T[], write: (item: T) => void): void {
  if (items.length > 0) {
    writer.long(items.length);
    for (const item of items) write(item);
  }
  writer.long(0);
}

function writePrimitive(writer: AvroWriter, type: string, value: unknown): void {
  switch (type) {
    case 'null':
      return;
    case 'boolean':
      return writer.boolean(value as boolean);
    case 'int':
    case 'long':
      invariant(
        typeof value === 'bigint' || Number.isSafeInteger(value),
        `an Avro ${type} is a whole number, got ${String(value)}`,
      );
      return writer.long(value as number | bigint);
    case 'float':
      return writer.float(value as number);
    case 'double':
      return writer.double(value as number);
    case 'string':
      return writer.text(value as string);
    case 'bytes':
      return writer.bytes(value as Uint8Array);
    default:
      invariant(false, `Avro type '${type}' is known`);
  }
}

function readPrimitive(reader: AvroReader, type: string): unknown {
  switch (type) {
    case 'null':
      return null;
    case 'boolean':
      return reader.boolean();
    case 'int':
    case 'long':
      return reader.long();
    case 'float':
      return reader.float();
    case 'double':
      return reader.double();
    case 'string':
      return reader.text();
    case 'bytes':
      return Uint8Array.from(reader.bytes());
    default:
      throw new RangeError(`Avro type '${type}' is not supported`);
  }
}
