import { SHAPES_MAX } from './element-layout.ts';
import type { RowCodec } from './row-codec.ts';
import { ANY, NOTHING, type RowShape, shapeText, widened } from './row-shape.ts';
import type { ThreadCodecs } from './thread-codecs.ts';
import { isPlainObject } from './value-kind.ts';

/** The shape that a batch of rows is sent in. */
export interface ChosenShape {
  readonly shape: RowShape;
  readonly text: string;
  readonly codec: RowCodec;
}

/**
 * Chooses shapes for the rows of one channel by the keys of a batch's first row, and learns: a shape that does not fit is widened, never
 * narrowed, so that it changes a few times and not with every batch.
 */
export class RowShapes {
  /** Fits any row. */
  readonly any: ChosenShape;
  readonly #codecs: ThreadCodecs;
  /** By the keys that rows have at the top. */
  readonly #byKeys = new Map<string, ChosenShape>();
  /** Shapes that the other end knows, by text. */
  readonly #numbers = new Map<string, number>();

  constructor(codecs: ThreadCodecs) {
    this.#codecs = codecs;
    this.any = this.#chosen(ANY);
    this.#numbers.set(this.any.text, 0);
  }

  choose(rows: readonly unknown[]): ChosenShape {
    return this.#sendable(this.#byKeys.get(keysOf(rows[0])) ?? this.widen(rows));
  }

  /** A shape that fits these rows, and those before them that had the same keys. */
  widen(rows: readonly unknown[]): ChosenShape {
    const keys = keysOf(rows[0]);
    const wide = this.#sendable(this.#chosen(widened(this.#byKeys.get(keys)?.shape ?? NOTHING, rows)));
    if (this.#byKeys.has(keys) || this.#byKeys.size < SHAPES_MAX) this.#byKeys.set(keys, wide);
    return wide;
  }

  /** Its number in the channel, and its text where the other end does not know it, else ''. */
  numberOf({ text }: ChosenShape): { readonly number: number; readonly definition: string } {
    const known = this.#numbers.get(text);
    return known === undefined
      ? { number: this.#numbers.size, definition: text }
      : { number: known, definition: '' };
  }

  /** The other end is being told of the shape. */
  defined(chosen: ChosenShape): void {
    this.#numbers.set(chosen.text, this.numberOf(chosen).number);
  }

  #chosen(shape: RowShape): ChosenShape {
    return { shape, text: shapeText(shape), codec: this.#codecs.rows(shape) };
  }

  #sendable(chosen: ChosenShape): ChosenShape {
    return this.#numbers.size < SHAPES_MAX || this.#numbers.has(chosen.text) ? chosen : this.any;
  }
}

function keysOf(row: unknown): string {
  return isPlainObject(row) ? JSON.stringify(Object.keys(row)) : typeof row;
}
