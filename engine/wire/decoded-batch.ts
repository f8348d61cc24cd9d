import { invariant } from '../base/errors.ts';
import type { Batch, Column } from './batch.ts';
import { sectionCrc } from './column-crcs.ts';
import { readColumn, type Section } from './column-decoder.ts';
import { corrupt } from './frame-layout.ts';
import type { Schema } from './schema.ts';

/** Frames at the start of a stream of which every column is decoded. */
const WHOLE_FRAMES = 16;

/**
 * Which columns the readers of a stream of frames ask for. The first frames are decoded whole; of later ones only the columns that were
 * asked for, and any other when it is.
 *
 * CU1 what readers do with every batch finds a broken column where the frame is decoded, and can be refused there; only a column that is
 *     asked for the first time after many frames may be found broken by its reader.
 */
export class ColumnsInUse {
  readonly #asked = new Set<number>();
  #framesWhole = WHOLE_FRAMES;

  /** Whether column `c` of the frame at hand is decoded at once. */
  has(c: number): boolean {
    return this.#framesWhole > 0 || this.#asked.has(c);
  }

  ask(c: number): void {
    this.#asked.add(c);
  }

  nextFrame(): void {
    if (this.#framesWhole > 0) this.#framesWhole--;
  }
}

/** The batch of a body. */
export class DecodedBatch<Row> implements Batch<Row> {
  readonly schema: Schema<Row>;
  readonly count: number;
  readonly times: Float64Array;
  readonly #sections: readonly Section[];
  readonly #inUse: ColumnsInUse;
  readonly #crcs: DataView | null;
  /** Decoded, asked for or not. */
  readonly #decoded: (Column | undefined)[];
  /** Asked for. */
  readonly #columns: (Column | undefined)[];

  /**
   * @param sections one per field, in schema order, in bounds
   * @param crcs one per section, unless their bytes are known to be right
   * @throws MR_FRAME_CORRUPT for columns in use that make no sense
   */
  constructor(
    schema: Schema<Row>,
    count: number,
    sections: readonly Section[],
    inUse: ColumnsInUse,
    crcs: DataView | null,
  ) {
    this.schema = schema;
    this.count = count;
    this.#sections = sections;
    this.#inUse = inUse;
    this.#crcs = crcs;
    this.#columns = new Array<Column | undefined>(sections.length).fill(undefined);
    this.#decoded = sections.map((_, c) => (inUse.has(c) ? this.#read(c) : undefined));
    inUse.nextFrame();
    const time = this.column(schema.timeIndex);
    invariant(time.kind === 'f64', `the event time of '${schema.name}' is a number`);
    this.times = time.values;
  }

  column(c: number): Column {
    return this.#columns[c] ?? this.#ask(c);
  }

  #ask(c: number): Column {
    this.#inUse.ask(c);
    const column = this.#decoded[c] ?? this.#read(c);
    this.#columns[c] = column;
    return column;
  }

  #read(c: number): Column {
    const section = this.#sections[c] as Section;
    const { body, start, end, field } = section;
    if (this.#crcs !== null && sectionCrc(body, start, end) !== this.#crcs.getUint32(c * 4, true))
      throw corrupt(`the CRC of column '${field.name}' does not match`);
    for (let at = end; (at & 7) !== 0; at++)
      if (body[at] !== 0) throw corrupt(`bytes after column '${field.name}' are not zero`);
    return readColumn(section);
  }
}
