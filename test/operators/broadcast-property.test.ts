import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import type { KeySelector } from '#engine';
import { defineBroadcastOperator, mapState, type, valueState } from '#operators';
import { broadcastOperator } from '../../operators/define-broadcast-operator.ts';
import { manualClock } from '../ops/support/manual-clock.ts';
import { rowRecords } from '../support/operator-bench.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { createKeySubtasks } from './state/key-subtasks.ts';

interface Reading {
  readonly device: string;
  readonly at: number;
}
interface Rule {
  readonly id: string;
  readonly limit: number | null;
}

/** Says how many readings of its device there were, under which rules; five after a reading, the same again. */
const watched = defineBroadcastOperator({
  key: type<{ device: string }>(),
  input: type<Reading>(),
  broadcast: type<Rule>(),
  output: type<string>(),
  state: { seen: valueState<number>() },
  broadcastState: { rules: mapState<string, number>() },
  onRecord(_, { key, state, broadcast, timers, timestamp, emit }) {
    state.seen.set((state.seen.get() ?? 0) + 1);
    timers.at(timestamp + 5);
    emit(said(key.device, state.seen.get() ?? 0, broadcast.rules.entries()));
  },
  onBroadcast({ id, limit }, { broadcast }) {
    if (limit === null) broadcast.rules.delete(id);
    else broadcast.rules.set(id, limit);
  },
  onTimer(firedAt, { key, state, broadcast, emit }) {
    emit(`${firedAt}: ${said(key.device, state.seen.get() ?? 0, broadcast.rules.entries())}`);
  },
});

const said = (device: string, seen: number, rules: Iterable<readonly [string, number]>) =>
  `${device} ${seen} ${[...rules]
    .map(([id, limit]) => `${id}=${limit}`)
    .sort()
    .join()}`;

type Step =
  | { readonly kind: 'readings'; readonly rows: readonly Reading[] }
  | { readonly kind: 'rule'; readonly rule: Rule }
  | { readonly kind: 'watermark'; readonly input: number; readonly time: number }
  | { readonly kind: 'restore'; readonly parallelism: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('readings' as const),
    rows: fc.array(
      fc.record({ device: fc.constantFrom('a', 'b', 'c', 'd'), at: fc.integer({ min: -20, max: 60 }) }),
      { minLength: 1, maxLength: 6 },
    ),
  }),
  fc.record({
    kind: fc.constant('rule' as const),
    rule: fc.record({
      id: fc.constantFrom('x', 'y', 'z'),
      limit: fc.option(fc.integer({ min: 0, max: 9 }), { freq: 3 }),
    }),
  }),
  fc.record({
    kind: fc.constant('watermark' as const),
    input: fc.nat(1),
    time: fc.integer({ min: -20, max: 70 }),
  }),
  fc.record({ kind: fc.constant('restore' as const), parallelism: fc.integer({ min: 1, max: 3 }) }),
);

/** What must be said, from lists alone. */
class Reference {
  readonly #seen = new Map<string, number>();
  readonly #rules = new Map<string, number>();
  readonly #reached = [-Infinity, -Infinity];
  #timers: (readonly [device: string, time: number])[] = [];
  #said: string[] = [];

  step(it: Step): void {
    if (it.kind === 'rule') {
      if (it.rule.limit === null) this.#rules.delete(it.rule.id);
      else this.#rules.set(it.rule.id, it.rule.limit);
    } else if (it.kind === 'readings') {
      for (const { device, at } of it.rows) {
        this.#seen.set(device, (this.#seen.get(device) ?? 0) + 1);
        if (!this.#timers.some(([d, time]) => d === device && time === at + 5))
          this.#timers.push([device, at + 5]);
        this.#said.push(said(device, this.#seen.get(device) ?? 0, this.#rules));
      }
    } else if (it.kind === 'watermark') this.#watermark(it.input, it.time);
  }

  take(): string[] {
    return this.#said.splice(0).sort();
  }

  #watermark(input: number, time: number): void {
    const before = Math.min(...this.#reached);
    this.#reached[input] = Math.max(this.#reached[input] ?? -Infinity, time);
    const reached = Math.min(...this.#reached);
    if (reached <= before) return;
    for (const [device, at] of this.#timers.filter((timer) => timer[1] <= reached))
      this.#said.push(`${at}: ${said(device, this.#seen.get(device) ?? 0, this.#rules)}`);
    this.#timers = this.#timers.filter((timer) => timer[1] > reached);
  }
}

void t.test(
  'BO1 BO2 E1: keyed state, timers and broadcast state are what lists say, through restores at any parallelism',
  async () => {
    const byDevice: KeySelector = { kind: 'fields', fields: ['device'] };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.boolean(), (script, interpreted) => {
        const subtasks = createKeySubtasks(broadcastOperator(watched as never), {
          routes: [byDevice, 'broadcast'],
          clock: manualClock(0),
          interpreted,
        });
        const reference = new Reference();
        const reached = [-Infinity, -Infinity];
        for (const it of script) {
          reference.step(it);
          if (it.kind === 'readings') {
            subtasks.records(0, it.rows, (rows) =>
              rowRecords(
                rows,
                rows.map((row) => row.at),
              ),
            );
          } else if (it.kind === 'rule')
            subtasks.records(1, [it.rule], (rows) =>
              rowRecords(
                rows,
                rows.map(() => 0),
              ),
            );
          else if (it.kind === 'restore') {
            subtasks.restore(it.parallelism);
            // Restored sources say their time again.
            for (const [input, time] of reached.entries())
              if (time > -Infinity) subtasks.watermark(input, time);
          } else {
            reached[it.input] = Math.max(reached[it.input] ?? -Infinity, it.time);
            subtasks.watermark(it.input, it.time);
          }
          const got = subtasks.take().map(([row]) => String(row));
          if (!isDeepStrictEqual(got.sort(), reference.take())) return false;
        }
        return true;
      }),
      { numRuns: propertyRuns(300) },
    );
  },
);
