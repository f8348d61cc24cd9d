import { MIN_WATERMARK } from '#engine';
import { type Command, reduce, type Verb } from './command-operator.ts';

/** Something with the time its life began. */
interface Timed<V> {
  value: V;
  at: number;
}

interface KeyState {
  readonly key: unknown;
  value: Timed<number>[];
  list: Timed<number>[];
  map: Timed<readonly [number, number]>[];
  reducing: Timed<number>[];
  aggregating: Timed<string>[];
  timers: number[];
  processingTimers: number[];
}

export interface ReferenceOptions {
  readonly keyOf: (row: Command) => unknown;
  readonly ttlMs: number;
  readonly refreshesOnRead: boolean;
}

/** What the command operators must do, as one would explain it: everything in lists, looked through each time. */
export class CommandReference {
  now = 0;
  watermark = MIN_WATERMARK;
  readonly #options: ReferenceOptions;
  readonly #keys = new Map<string, KeyState>();
  #said: (readonly [row: unknown, time: number])[] = [];

  constructor(options: ReferenceOptions) {
    this.#options = options;
  }

  take(): readonly (readonly [row: unknown, time: number])[] {
    return this.#said.splice(0);
  }

  obey(row: Command): void {
    const key = this.#options.keyOf(row);
    const id = JSON.stringify(key);
    const none = {
      value: [],
      list: [],
      map: [],
      reducing: [],
      aggregating: [],
      timers: [],
      processingTimers: [],
    };
    const state = this.#keys.get(id) ?? { key, ...none };
    this.#keys.set(id, state);
    const gave = this.#do(state, row);
    if (gave !== undefined) this.#said.push([{ key, verb: row.verb, gave }, row.ts]);
  }

  /** PO2 PO3. */
  advance(watermark: number): void {
    this.watermark = watermark;
    for (const state of this.#keys.values()) {
      const later: number[] = [];
      for (;;) {
        const firedAt = Math.min(...state.timers);
        if (firedAt > watermark) break;
        state.timers = state.timers.filter((time) => time !== firedAt);
        const value = this.#read(state.value)[0] ?? null;
        this.#said.push([{ key: state.key, verb: 'timer', firedAt, value }, firedAt]);
        if (value === 1) later.push(firedAt);
        if (value === 2) state.timers.push(firedAt + 70);
      }
      state.timers.push(...later);
    }
  }

  poll(): void {
    for (const state of this.#keys.values()) {
      let due = state.processingTimers.filter((time) => time <= this.now).sort((a, b) => a - b);
      state.processingTimers = state.processingTimers.filter((time) => time > this.now);
      const later: number[] = [];
      for (let firedAt = due.shift(); firedAt !== undefined; firedAt = due.shift()) {
        const value = this.#read(state.value)[0] ?? null;
        const row = {
          key: state.key,
          verb: 'processing-time timer',
          firedAt,
          value,
          processingTime: this.now,
        };
        this.#said.push([row, Math.max(firedAt, this.watermark + 1)]);
        if (value === 1) later.push(firedAt);
        if (value !== 2) continue;
        const other = firedAt + 20;
        due = due.filter((time) => time !== other);
        state.processingTimers = state.processingTimers.filter((time) => time !== other);
      }
      state.processingTimers.push(...later);
    }
  }

  /** Values that can be read; reading them may start their lives anew. */
  #read<V>(all: Timed<V>[], refreshes = this.#options.refreshesOnRead): V[] {
    const live = all.filter(({ at }) => at + this.#options.ttlMs > this.now);
    if (refreshes) for (const it of live) it.at = this.now;
    return live.map(({ value }) => value);
  }

  #do(state: KeyState, { verb, a, b }: Command): unknown {
    const born = <V>(value: V): Timed<V> => ({ value, at: this.now });
    const live = <V>(all: Timed<V>[]) => all.filter(({ at }) => at + this.#options.ttlMs > this.now);
    const entry = live(state.map).filter(({ value: [key] }) => key === a);
    switch (verb as Verb) {
      case 'value.set':
        return void (state.value = [born(a)]);
      case 'value.get':
        return this.#read(state.value)[0];
      case 'value.clear':
        return void (state.value = []);
      case 'list.add':
        return void state.list.push(born(a));
      case 'list.addAll':
        return void state.list.push(...(a === 0 ? [] : [born(a), born(b)]));
      case 'list.update':
        return void (state.list = a === 0 ? [] : [born(b), born(a)]);
      case 'list.get':
        return this.#read(state.list);
      case 'list.clear':
        return void (state.list = []);
      case 'map.set': {
        const known = state.map.find(({ value: [key] }) => key === a);
        if (known === undefined || entry.length === 0) {
          state.map = state.map.filter((it) => it !== known);
          state.map.push(born([a, b] as const));
        } else Object.assign(known, born([a, b] as const));
        return;
      }
      case 'map.get':
        return this.#read(entry)[0]?.[1];
      case 'map.has':
        return this.#read(entry).length > 0;
      case 'map.delete':
        state.map = state.map.filter(({ value: [key] }) => key !== a);
        return entry.length > 0;
      case 'map.entries':
        return this.#read(state.map);
      case 'map.keys':
        return this.#read(state.map).map(([key]) => key);
      case 'map.values':
        return this.#read(state.map).map(([, value]) => value);
      case 'map.size':
        return this.#read(state.map, false).length;
      case 'map.clear':
        return void (state.map = []);
      case 'reducing.add': {
        const before = this.#read(state.reducing)[0];
        return void (state.reducing = [born(before === undefined ? a : reduce(before, a))]);
      }
      case 'reducing.get':
        return this.#read(state.reducing)[0];
      case 'reducing.clear':
        return void (state.reducing = []);
      case 'aggregating.add': {
        const before = this.#read(state.aggregating);
        return void (state.aggregating = [born([...before, String(a)].join('+'))]);
      }
      case 'aggregating.get':
        return this.#read(state.aggregating)[0];
      case 'aggregating.clear':
        return void (state.aggregating = []);
      case 'at':
        return void (state.timers = [...state.timers.filter((time) => time !== a * 10), a * 10]);
      case 'delete':
        return void (state.timers = state.timers.filter((time) => time !== a * 10));
      case 'atProcessingTime':
        return void (state.processingTimers = [
          ...state.processingTimers.filter((it) => it !== a * 10),
          a * 10,
        ]);
      case 'deleteProcessingTime':
        return void (state.processingTimers = state.processingTimers.filter((time) => time !== a * 10));
    }
  }
}
