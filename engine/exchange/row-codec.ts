import { TextCache } from '../state/text-cache.ts';
import type { GenerationOptions } from '../wire/code-generation.ts';
import type { StringDictionary } from '../wire/string-dictionary.ts';
import { type RowBuilder, rowBuilder } from './row-builder.ts';
import { type RowGatherer, rowGatherer } from './row-gatherer.ts';
import { type PlanNode, planRows, type RowPlan } from './row-plan.ts';
import type { RowShape } from './row-shape.ts';
import { resetStores, type RowStores, rowStores } from './row-store.ts';

/**
 * Takes rows of one shape apart and puts them together again. Its loops are generated on first use, and what it remembers of strings
 * serves all channels of a thread: only one batch is under way in it at a time.
 */
export class RowCodec {
  readonly plan: RowPlan;
  readonly stores: RowStores;
  /** By node. */
  readonly kinds: readonly PlanNode['kind'][];
  readonly #options: GenerationOptions;
  readonly #texts: (TextCache | undefined)[] = [];
  #gatherer: RowGatherer | null = null;
  #builder: RowBuilder | null = null;

  constructor(shape: RowShape, options: GenerationOptions) {
    this.plan = planRows(shape);
    this.stores = rowStores(this.plan);
    this.kinds = kindsOf(this.plan.root);
    this.#options = options;
  }

  /** Puts the rows into {@link stores}; false when one of them has another shape. */
  gather(rows: readonly unknown[]): boolean {
    resetStores(this.stores, rows.length);
    this.#gatherer ??= rowGatherer(this.plan, this.stores, this.#options);
    return this.#gatherer(rows, rows.length);
  }

  get build(): RowBuilder {
    this.#builder ??= rowBuilder(this.plan, this.#options);
    return this.#builder;
  }

  /** The strings of a column, by code. */
  texts(column: number, dictionary: StringDictionary): readonly string[] {
    this.#texts[column] ??= new TextCache();
    return this.#texts[column].texts(dictionary);
  }
}

function kindsOf(node: PlanNode): PlanNode['kind'][] {
  return [node.kind, ...node.fields.flatMap(([, each]) => kindsOf(each))];
}
