import type { GenerationOptions } from '../wire/code-generation.ts';
import { parseSchemaText, type Schema } from '../wire/schema.ts';
import { RowCodec } from './row-codec.ts';
import { parseShape, type RowShape, shapeText } from './row-shape.ts';

/** Schemas and shapes that one thread remembers; beyond, all are forgotten at once (channels keep those that they use). */
const REMEMBERED_MAX = 512;

/**
 * What the channels of one thread share: a job has many channels and few kinds of records, and one schema object per kind lets its
 * readers and loops be generated once.
 */
export class ThreadCodecs {
  readonly #options: GenerationOptions;
  readonly #schemas = new Map<string, Schema>();
  readonly #rows = new Map<string, RowCodec>();

  constructor(options: GenerationOptions = {}) {
    this.#options = options;
  }

  /** The schema of a text. @throws MR_SCHEMA_INVALID */
  schema(text: string): Schema {
    return remembered(this.#schemas, text, () => parseSchemaText(text));
  }

  rows(shape: RowShape): RowCodec {
    return remembered(this.#rows, shapeText(shape), () => new RowCodec(shape, this.#options));
  }

  /** The codec of a shape's text. @throws MR_FRAME_CORRUPT */
  rowsOfText(text: string): RowCodec {
    return this.#rows.get(text) ?? this.rows(parseShape(text));
  }
}

/** Those of this thread. */
export const threadCodecs = new ThreadCodecs();

function remembered<T>(known: Map<string, T>, text: string, make: () => T): T {
  let value = known.get(text);
  if (value === undefined) {
    value = make();
    if (known.size >= REMEMBERED_MAX) known.clear();
    known.set(text, value);
  }
  return value;
}
