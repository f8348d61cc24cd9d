import type { OpenStateBackend, StateCells } from '#engine';

interface Spilled {
  readonly key: Uint8Array;
  readonly group: number;
  readonly stored: unknown;
}

/** Moves every cell out of memory between two batches: the smallest backend for which a key may be without a slot. */
export const spillingBackend: OpenStateBackend = (keys, watcher) => {
  const spills: (() => void)[] = [];
  const idOf = (slot: number) => Buffer.from(keys.canonical(slot)).toString('latin1');
  return {
    settle() {
      for (const spill of spills) spill();
    },
    cells<Cell>(
      _: string,
      format: { store: (cell: Cell) => unknown; load: (stored: unknown) => Cell | undefined },
    ): StateCells<Cell> {
      const inside = new Map<number, Cell>();
      const outside = new Map<string, Spilled>();
      let extent = 0;
      const put = (slot: number, cell: Cell) => {
        if (!inside.has(slot)) keys.slots.hold(slot);
        inside.set(slot, cell);
        extent = Math.max(extent, slot + 1);
      };
      const take = (slot: number) => {
        if (inside.delete(slot)) keys.slots.drop(slot);
      };
      spills.push(() => {
        for (const [slot, cell] of inside) {
          watcher?.leaves(slot);
          const stored = format.store(cell);
          const spilled = { key: keys.canonical(slot), group: keys.group(slot), stored };
          if (stored !== undefined) outside.set(idOf(slot), spilled);
          take(slot);
        }
      });
      return {
        get extent() {
          return extent;
        },
        get(slot) {
          const known = inside.get(slot);
          const spilled = known === undefined ? outside.get(idOf(slot)) : undefined;
          if (spilled === undefined) return known;
          outside.delete(idOf(slot));
          const cell = format.load(spilled.stored);
          if (cell !== undefined) put(slot, cell);
          return cell;
        },
        peek: (slot) => inside.get(slot),
        set(slot, cell) {
          outside.delete(idOf(slot));
          put(slot, cell);
        },
        clear(slot) {
          outside.delete(idOf(slot));
          take(slot);
        },
        forEach(visit) {
          for (const [slot, cell] of inside) visit(slot, cell);
        },
        forEachSpilled(visit) {
          for (const { key, group, stored } of outside.values()) visit(key, group, structuredClone(stored));
        },
        freezeSpilled() {
          const frozen = structuredClone([...outside.values()]);
          return {
            forEachOf(of, visit) {
              for (const { key, group, stored } of frozen) if (group === of) visit(key, stored);
            },
            release() {},
          };
        },
      };
    },
  };
};
