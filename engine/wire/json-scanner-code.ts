import { generate } from './code-generation.ts';
import { TIME_MAX_MS } from './field-check.ts';
import type { JsonScan, JsonScanParts } from './json-scanner.ts';
import { UNUSUAL_KEY } from './json-scanner-names.ts';
import type { NamedField, Schema } from './schema.ts';

/** A function of more fields is not optimised any more; they are interpreted. */
const FIELDS_MAX = 64;

/** The scan of a schema as one function: names compared byte by byte, values in local variables until the whole record is sound. */
export function generateJsonScan(schema: Schema, parts: JsonScanParts): JsonScan | null {
  const { fields } = schema;
  if (fields.length > FIELDS_MAX) return null;
  const { stores, texts, names, fieldValue, order } = parts;
  const parameters = {
    names,
    fieldValue,
    order,
    NULL,
    TRUE,
    FALSE,
    ...Object.fromEntries(stores.map((store, f) => [`s${f}`, store])),
    ...Object.fromEntries(texts.map((cache, f) => [`t${f}`, cache])),
  };
  const keys = fields.map((_, f) => keyCase(parts.names.bytes[f] ?? null, f)).join('\n');
  const values = fields.map((field, f) => `case ${f}: ${valueCase(field, f)}`).join('\n');
  const body = `return function scanJson(cursor, i) {
${fields.map(({ type }, f) => `let h${f} = 0, v${f} = ${type === 'string' ? `''` : '0'};`).join('\n')}
const { bytes } = cursor;
if (cursor.space() !== 123) return false;
cursor.at++;
let c = cursor.space();
if (c === 125) cursor.at++;
else for (let k = 0; ; k++) {
if (c !== 34) return false;
const p = cursor.at;
let f = order[k];
switch (f) {
${keys}
default: f = names.find(cursor);
}
if (f === ${UNUSUAL_KEY}) return false;
order[k] = f;
if (cursor.space() !== 58) return false;
cursor.at++;
c = cursor.space();
switch (f) {
${values}
default: if (!cursor.skip()) return false;
}
c = cursor.space();
cursor.at++;
if (c === 44) c = cursor.space();
else if (c === 125) break;
else return false;
}
if (!cursor.ended()) return false;
${fields.flatMap((field, f) => (field.nullable ? [] : [`if (h${f} === 0) return false;`])).join('\n')}
${fields.map(writeStatement).join('\n')}
return true;
};`;
  return generate(`json-scanner/${schema.name}`, parameters, body);
}

const NULL = [...Buffer.from('null')];
const TRUE = [...Buffer.from('true')];
const FALSE = [...Buffer.from('false')];

/** The key that came at this place last time. */
function keyCase(name: Buffer | null, f: number): string {
  if (name === null) return '';
  const tests = [...name, 34].map((byte, j) => `bytes[p + ${j + 1}] === ${byte}`).join(' && ');
  return `case ${f}: if (${tests}) cursor.at = p + ${name.length + 2}; else f = names.find(cursor); break;`;
}

/** `h` becomes 1 with a value and 2 with null; a field that comes twice is left to JSON.parse, which keeps the last. */
function valueCase(field: NamedField, f: number): string {
  const known = `if (h${f} !== 0) return false;`;
  const isNull = field.nullable
    ? `if (c === 110) { if (!cursor.literal(NULL)) return false; h${f} = 2; break; }`
    : '';
  const other = `{ const x = fieldValue(${f}); if (x === undefined) return false; v${f} = x; }`;
  return `${known} ${isNull} ${plainValue(field, f, other)} h${f} = 1; break;`;
}

function plainValue(field: NamedField, f: number, other: string): string {
  switch (field.type) {
    case 'f64':
    case 'f32':
      return `v${f} = cursor.number(); if (v${f} !== v${f}) ${other}`;
    case 'time':
      return `v${f} = cursor.number(); if (v${f} !== v${f}) ${other} else if (v${f} > ${TIME_MAX_MS} || v${f} < ${-TIME_MAX_MS}) return false;`;
    case 'i32':
      return `v${f} = cursor.number(); if (v${f} !== v${f}) ${other} else if ((v${f} | 0) !== v${f}) return false;`;
    case 'bool':
      return `if (c === 116) { if (!cursor.literal(TRUE)) return false; v${f} = 1; } else { if (!cursor.literal(FALSE)) return false; v${f} = 0; }`;
    case 'string':
      return `{ const x = cursor.text(t${f}); if (x !== null) v${f} = x; else ${other} }`;
    case 'i64':
      return `{ const x = cursor.number(); if (x !== x) ${other} else if (Number.isSafeInteger(x)) v${f} = BigInt(x); else return false; }`;
    case 'bytes':
    case 'obj':
      return other;
  }
}

function writeStatement(field: NamedField, f: number): string {
  const write = storeStatement(field, f);
  return field.nullable ? `if (h${f} !== 1) s${f}.setNull(i); else ${write}` : write;
}

function storeStatement(field: NamedField, f: number): string {
  switch (field.type) {
    case 'f64':
    case 'time':
    case 'i32':
    case 'i64':
    case 'bool':
      return `s${f}.values[i] = v${f};`;
    case 'f32':
      return `s${f}.values[i] = Math.fround(v${f});`;
    case 'string':
      return `s${f}.values[i] = t${f}.code(v${f});`;
    case 'bytes':
    case 'obj':
      return `s${f}.set(i, v${f});`;
  }
}
