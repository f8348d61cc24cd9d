import { columnRow, LoopWriter, type RowText } from '#engine';
import type { Batch } from '#wire';
import type { CellPlan } from './cells.ts';
import type { Pane } from './pane.ts';
import { RowWarming } from './row-warming.ts';
import { writeCellUpdate, writeInput } from './update-text.ts';

/** Per record its index in the batch, its slot and its pane. */
interface Gathered {
  readonly batch: Batch;
  readonly selection: Uint16Array;
  readonly slots: Int32Array;
  readonly panes: readonly Pane[];
}

type Update = (gathered: Gathered, from: number) => void;

/**
 * Adds records to their cells once the slots of a batch are known, so that the rows of many keys are read together first
 * (row-warming.ts). Only of numbers out of columns ({@link isGathered}): there no record can be refused any more.
 *
 * GU1 between two calls of a loop nothing is gathered: a loop ends with {@link flush}, also where a record throws.
 */
export class GatheredUpdate {
  readonly #plan: CellPlan;
  readonly #refire: (pane: Pane, slot: number) => void;
  readonly #warming: RowWarming;
  readonly #updates = new Map<string, Update>();
  #count = 0;
  #selection = new Uint16Array(0);
  #slots = new Int32Array(0);
  readonly #panes: Pane[] = [];

  /** @param refire called after a record in a pane that has fired */
  constructor(plan: CellPlan, refire: (pane: Pane, slot: number) => void, cachedBytesMax?: number) {
    this.#plan = plan;
    this.#refire = refire;
    this.#warming = new RowWarming(plan.cells.length, cachedBytesMax);
  }

  /** Few keys are added to one by one: to gather them costs more than it saves. */
  paysFor(keys: number): boolean {
    return this.#warming.pays(keys);
  }

  begin({ count }: Batch): void {
    if (count <= this.#slots.length) return;
    this.#slots = new Int32Array(count);
    this.#selection = new Uint16Array(count);
  }

  /** The record at `index` of the batch. */
  add(pane: Pane, slot: number, index: number): void {
    const at = this.#count++;
    this.#panes[at] = pane;
    this.#slots[at] = slot;
    this.#selection[at] = index;
  }

  flush(batch: Batch): void {
    const count = this.#count;
    if (count === 0) return;
    this.#count = 0;
    const [slots, panes] = [this.#slots, this.#panes];
    // Nearly always all are of one.
    this.#warming.warm((panes[0] as Pane).pages, slots, 0, count);
    this.#updateOf(batch.schema)({ batch, selection: this.#selection.subarray(0, count), slots, panes }, 0);
  }

  #updateOf(schema: Batch['schema']): Update {
    let update = this.#updates.get(schema.id);
    if (update === undefined) {
      update = this.#generate(schema);
      this.#updates.set(schema.id, update);
    }
    return update;
  }

  #generate(schema: Batch['schema']): Update {
    const writer = new LoopWriter({ at: 0 });
    const row = columnRow(writer, schema);
    const [slot, pane] = [writer.local('slot'), writer.local('pane')];
    writer.setup('const { slots, panes } = records;');
    writer.line(`const ${slot} = slots[k];`);
    writer.line(`const ${pane} = panes[k];`);
    const values = this.#plan.inputs.map((input) => writeInput(writer, row, input.of));
    writeCellUpdate(writer, this.#plan, { slot, pane, time: row.time, values });
    writer.line(`if (${pane}.fired) ${writer.bind('refire', this.#refire)}(${pane}, ${slot});`);
    return writer.compile(`window-cells.${schema.name}`) as Update;
  }
}

/** Whether records in this form need nothing but numbers out of columns. */
export function isGathered({ inputs, objects }: CellPlan, row: RowText): boolean {
  const { columns } = row;
  if (columns === null || !row.isInput || objects.length > 0) return false;
  return inputs.every(({ of }) => typeof of === 'string' && columns.strings(of) === null);
}
