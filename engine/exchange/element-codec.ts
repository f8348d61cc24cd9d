import { isUtf8 } from 'node:buffer';
import { checkpointId } from '../base/brand.ts';
import { errorText, hasCode, invariant, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Element } from '../runtime/channel.ts';
import type { Records } from '../runtime/operator.ts';
import { type BodyWriter, withBodyWriter } from '../wire/body-writer.ts';
import { decodeBody } from '../wire/frame-body.ts';
import { align8, corrupt } from '../wire/frame-layout.ts';
import { type Schema, schemaText } from '../wire/schema.ts';
import { encodeSelection } from './batch-body.ts';
import {
  ELEMENT_HEADER_BYTES,
  ELEMENT_KINDS,
  ELEMENT_MAGIC,
  SCHEMAS_MAX,
  SHAPES_MAX,
} from './element-layout.ts';
import { decodeRows, encodeRows } from './row-body.ts';
import type { RowCodec } from './row-codec.ts';
import { ANY } from './row-shape.ts';
import { type ChosenShape, RowShapes } from './row-shapes.ts';
import { type ThreadCodecs, threadCodecs } from './thread-codecs.ts';

/**
 * The sending end of one channel to another thread or process: elements as bytes (element-layout.ts).
 *
 * Owns: what the channel's other end has been told of schemas and shapes. Never waits.
 * EX1 the bytes of all elements, decoded once each and in order, give the same elements: columns stay columns of the records meant,
 *     rows are equal to the bit. An element that is refused leaves no trace.
 */
export class ElementEncoder {
  readonly #shapes: RowShapes;
  readonly #schemas = new Map<Schema['id'], number>();
  #sequence = 0;

  constructor(codecs: ThreadCodecs = threadCodecs) {
    this.#shapes = new RowShapes(codecs);
  }

  /**
   * Bytes of the next element: an allocation of their own, which may be transferred.
   * @throws MR_RECORD_INVALID for rows that hold what is no plain data; MR_FRAME_TOO_LARGE
   */
  encode(element: Element): Uint8Array<ArrayBuffer> {
    const bytes = element.kind === 'records' ? this.#records(element.records) : signalBytes(element);
    new DataView(bytes.buffer).setUint32(8, this.#sequence, true);
    this.#sequence = (this.#sequence + 1) >>> 0;
    return bytes;
  }

  #records(records: Records): Uint8Array<ArrayBuffer> {
    const count = countOf(records);
    invariant(count > 0, 'an exchange is given no empty batch');
    if (count > LIMITS.frameRecordsMax) {
      throw new MillraceError(
        'MR_FRAME_TOO_LARGE',
        `A batch of ${count} records is too large for an exchange; finish batches at ${LIMITS.frameRecordsMax} records at most.`,
      );
    }
    return withBodyWriter((writer) =>
      records.kind === 'columns' ? this.#columns(records, writer) : this.#rows(records, writer),
    );
  }

  #columns(
    { batch, selection }: Extract<Records, { kind: 'columns' }>,
    writer: BodyWriter,
  ): Uint8Array<ArrayBuffer> {
    encodeSelection(batch, selection, writer);
    const { schema } = batch;
    const count = selection === null ? batch.count : selection.length;
    const known = this.#schemas.get(schema.id);
    if (known !== undefined) return recordsBytes(ELEMENT_KINDS.columns, known, count, '', writer);
    if (this.#schemas.size === SCHEMAS_MAX) this.#schemas.clear();
    const number = this.#schemas.size;
    const bytes = recordsBytes(ELEMENT_KINDS.columns, number, count, schemaText(schema), writer);
    this.#schemas.set(schema.id, number);
    return bytes;
  }

  #rows({ rows, times }: Extract<Records, { kind: 'rows' }>, writer: BodyWriter): Uint8Array<ArrayBuffer> {
    invariant(times.length >= rows.length, 'every row has a time');
    const write = ({ codec }: ChosenShape) => {
      writer.length = 0;
      return encodeRows(codec, rows, times, writer);
    };
    let chosen = this.#shapes.choose(rows);
    if (!write(chosen)) {
      chosen = this.#shapes.widen(rows);
      // Objects that answer differently each time, or inherit what is enumerable, fit no shape but this.
      if (!write(chosen)) {
        chosen = this.#shapes.any;
        invariant(write(chosen), 'any row can be gathered as it is');
      }
    }
    const { number, definition } = this.#shapes.numberOf(chosen);
    const bytes = recordsBytes(ELEMENT_KINDS.rows, number, rows.length, definition, writer);
    this.#shapes.defined(chosen);
    return bytes;
  }
}

/**
 * The receiving end of one channel. Takes bytes as they come, which may be anything.
 *
 * Owns: the schemas and shapes that the channel's sender has defined. Never waits.
 * EX2 bytes that no encoder makes next are refused, or give elements that are whole; nothing is allocated beyond LIMITS and a small
 *     multiple of their length. After a refusal the channel is of no more use.
 */
export class ElementDecoder {
  readonly #codecs: ThreadCodecs;
  readonly #schemas: Schema[] = [];
  readonly #shapes: RowCodec[] = [];
  #sequence = 0;

  constructor(codecs: ThreadCodecs = threadCodecs) {
    this.#codecs = codecs;
    this.#shapes.push(codecs.rows(ANY));
  }

  /**
   * The next element. Takes over `bytes`: columns are views of them, so nobody may write to them afterwards.
   * @throws MR_FRAME_CORRUPT
   */
  decode(bytes: Uint8Array): Element {
    try {
      const element = this.#element(aligned(bytes));
      this.#sequence = (this.#sequence + 1) >>> 0;
      return element;
    } catch (error) {
      if (!hasCode(error, 'MR_SCHEMA_INVALID', 'MR_SCHEMA_MISMATCH')) throw error;
      throw new MillraceError('MR_FRAME_CORRUPT', `Element of an exchange is corrupt: ${errorText(error)}`, {
        cause: error,
      });
    }
  }

  #element(bytes: Uint8Array): Element {
    const header = readHeader(bytes, this.#sequence);
    switch (header.kind) {
      case ELEMENT_KINDS.columns: {
        const schema = this.#defined(this.#schemas, SCHEMAS_MAX, header, (text) => this.#codecs.schema(text));
        const batch = decodeBody(header.body, schema, header.records);
        return { kind: 'records', records: { kind: 'columns', batch, selection: null } };
      }
      case ELEMENT_KINDS.rows: {
        const codec = this.#defined(this.#shapes, SHAPES_MAX, header, (text) =>
          this.#codecs.rowsOfText(text),
        );
        if (header.records < 1 || header.records > LIMITS.frameRecordsMax)
          throw corrupt(`it claims ${header.records} records`);
        return {
          kind: 'records',
          records: { kind: 'rows', ...decodeRows(codec, header.body, header.records) },
        };
      }
      default:
        return signalOf(header);
    }
  }

  #defined<T>(known: T[], max: number, { number, definition }: Header, make: (text: string) => T): T {
    if (definition !== null) {
      if (number > known.length || number >= max)
        throw corrupt(`it defines number ${number}, which is not next`);
      known[number] = make(definition);
    }
    const value = known[number];
    if (value === undefined) throw corrupt(`it refers to number ${number}, which is not defined`);
    return value;
  }
}

interface Header {
  readonly kind: number;
  readonly number: number;
  readonly records: number;
  /** Time or checkpoint. */
  readonly value: number;
  readonly definition: string | null;
  readonly body: Uint8Array;
}

function countOf(records: Records): number {
  if (records.kind === 'rows') return records.rows.length;
  return records.selection === null ? records.batch.count : records.selection.length;
}

function signalBytes(element: Exclude<Element, { kind: 'records' }>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ELEMENT_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, ELEMENT_MAGIC, true);
  view.setUint8(4, ELEMENT_KINDS[element.kind]);
  if (element.kind === 'watermark') view.setFloat64(16, element.time, true);
  if (element.kind === 'barrier') view.setFloat64(16, element.checkpoint, true);
  return bytes;
}

const utf8 = new TextEncoder();

/** Header, definition and the writer's content. */
function recordsBytes(
  kind: number,
  number: number,
  records: number,
  definition: string,
  body: BodyWriter,
): Uint8Array<ArrayBuffer> {
  const defined = definition === '' ? null : utf8.encode(definition);
  const bodyAt = ELEMENT_HEADER_BYTES + align8(defined?.length ?? 0);
  const bytes = new Uint8Array(bodyAt + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, ELEMENT_MAGIC, true);
  view.setUint8(4, kind);
  view.setUint8(5, defined === null ? 0 : 1);
  view.setUint16(6, number, true);
  view.setUint32(12, records, true);
  view.setUint32(24, defined?.length ?? 0, true);
  if (defined !== null) bytes.set(defined, ELEMENT_HEADER_BYTES);
  bytes.set(body.bytes.subarray(0, body.length), bodyAt);
  return bytes;
}

function readHeader(bytes: Uint8Array, sequence: number): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < ELEMENT_HEADER_BYTES || view.getUint32(0, true) !== ELEMENT_MAGIC)
    throw corrupt('it is no element of an exchange of this version');
  if (bytes.length > ELEMENT_BYTES_MAX) throw corrupt(`it has ${bytes.length} bytes`);
  const found = view.getUint32(8, true);
  if (found !== sequence) throw corrupt(`element ${found} came where ${sequence} was due`);
  const flag = view.getUint8(5);
  const definitionBytes = view.getUint32(24, true);
  const definitionEnd = ELEMENT_HEADER_BYTES + definitionBytes;
  const bodyAt = align8(definitionEnd);
  const isClean = flag <= 1 && definitionBytes > 0 === (flag === 1) && view.getUint32(28, true) === 0;
  if (!isClean || bodyAt > bytes.length) throw corrupt('its header makes no sense');
  const text = bytes.subarray(ELEMENT_HEADER_BYTES, definitionEnd);
  if (!isUtf8(text)) throw corrupt('its definition is not UTF-8');
  for (let i = definitionEnd; i < bodyAt; i++)
    if (bytes[i] !== 0) throw corrupt('its definition is not padded with zeros');
  return {
    kind: view.getUint8(4),
    number: view.getUint16(6, true),
    records: view.getUint32(12, true),
    value: view.getFloat64(16, true),
    definition: flag === 1 ? Buffer.from(text.buffer, text.byteOffset, text.length).toString('utf8') : null,
    body: bytes.subarray(bodyAt),
  };
}

/** A body, a definition, and the header. */
const ELEMENT_BYTES_MAX = 2 * LIMITS.frameBodyBytesMax;

function signalOf({ kind, number, records, value, definition, body }: Header): Element {
  if (number !== 0 || records !== 0 || definition !== null || body.length > 0)
    throw corrupt('a signal carries records');
  switch (kind) {
    case ELEMENT_KINDS.watermark:
      if (Number.isNaN(value)) throw corrupt('its watermark is no time');
      return { kind: 'watermark', time: value };
    case ELEMENT_KINDS.barrier:
      if (!Number.isSafeInteger(value) || value < 0) throw corrupt('its checkpoint is no number');
      return { kind: 'barrier', checkpoint: checkpointId(value) };
    case ELEMENT_KINDS.idle:
      return { kind: 'idle' };
    case ELEMENT_KINDS.end:
      return { kind: 'end' };
    default:
      throw corrupt(`its kind is ${kind}, which there is not`);
  }
}

/** At a multiple of 8, and never a Buffer: generated loops stay monomorphic. */
function aligned(bytes: Uint8Array): Uint8Array {
  if ((bytes.byteOffset & 7) !== 0) return new Uint8Array(bytes);
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
