import type { SlotTable } from './slot-table.ts';
import type { StateBackend, StateCells } from './state-backend.ts';

/** Keeps every cell in memory, in one array per state. */
export function heapStateBackend(slots: Pick<SlotTable, 'hold' | 'drop'>): StateBackend {
  return { cells: <Cell>() => new HeapCells<Cell>(slots) };
}

class HeapCells<Cell> implements StateCells<Cell> {
  readonly #cells: (Cell | undefined)[] = [];
  readonly #slots: Pick<SlotTable, 'hold' | 'drop'>;

  constructor(slots: Pick<SlotTable, 'hold' | 'drop'>) {
    this.#slots = slots;
  }

  get extent(): number {
    return this.#cells.length;
  }

  get(slot: number): Cell | undefined {
    return this.#cells[slot];
  }

  peek(slot: number): Cell | undefined {
    return this.#cells[slot];
  }

  set(slot: number, cell: Cell): void {
    const cells = this.#cells;
    // Filled without holes: an array with holes looks up the prototype chain for each of them.
    while (cells.length < slot) cells.push(undefined);
    if (cells[slot] === undefined) this.#slots.hold(slot);
    cells[slot] = cell;
  }

  clear(slot: number): void {
    if (this.#cells[slot] === undefined) return;
    this.#cells[slot] = undefined;
    this.#slots.drop(slot);
  }

  forEach(visit: (slot: number, cell: Cell) => void): void {
    for (let slot = 0; slot < this.#cells.length; slot++) {
      const cell = this.#cells[slot];
      if (cell !== undefined) visit(slot, cell);
    }
  }
}
