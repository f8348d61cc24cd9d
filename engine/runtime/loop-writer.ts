let loops = 0;

/**
 * Collects the text of one generated loop: values bound as parameters (never pasted), lines run once per batch, and the body
 * run per record, where `i` is the record's index in its columns or rows.
 */
export class LoopWriter {
  /** Whether what is written so far may go on to the next record before its end. */
  leavesRecords = false;
  readonly #names: string[] = [];
  readonly #values: unknown[] = [];
  readonly #bound = new Map<unknown, string>();
  readonly #once = new Map<string, string>();
  readonly #setup: string[] = [];
  readonly #teardown: string[] = [];
  readonly #body: string[] = [];
  #locals = 0;
  #indent = 3;

  constructor(cursor: { at: number }) {
    this.#name('cursor', cursor);
  }

  /** Makes `value` available to the text; returns its name. The same value gets the same name. */
  bind(prefix: string, value: unknown): string {
    return this.#bound.get(value) ?? this.#name(`${prefix}${this.#names.length}`, value);
  }

  /** Makes a value of this loop's own available under a purpose, the first time it is asked for. */
  once(purpose: string, make: () => unknown): string {
    const known = this.#once.get(purpose);
    if (known !== undefined) return known;
    const name = this.bind('own', make());
    this.#once.set(purpose, name);
    return name;
  }

  /** A fresh variable name. */
  local(prefix: string): string {
    return `${prefix}_${this.#locals++}`;
  }

  /** A line run once per batch, before the first record; `records` is the input. */
  setup(line: string): void {
    if (!this.#setup.includes(line)) this.#setup.push(line);
  }

  /** A line run once per batch after the last record, also when the loop stops by an error and goes on later. */
  teardown(line: string): void {
    this.#teardown.push(line);
  }

  line(text: string): void {
    this.#body.push('  '.repeat(this.#indent) + text);
  }

  open(text: string): void {
    this.line(text);
    this.#indent++;
  }

  close(text: string): void {
    this.#indent--;
    this.line(text);
  }

  /** The whole function. */
  text(name: string): string {
    return [
      `return function loop(records, from) {`,
      ...this.#setup.map((line) => `  ${line}`),
      '  let k = from;',
      '  try {',
      '    for (; k < n; k++) {',
      ...this.#body,
      '    }',
      '  } finally {',
      '    cursor.at = k;',
      ...this.#teardown.map((line) => `    ${line}`),
      '  }',
      '};',
      `//# sourceURL=millrace-loop-${name.replaceAll(/[^\w.-]/g, '_')}.js`,
    ].join('\n');
  }

  compile(name: string): unknown {
    // oxlint-disable-next-line typescript/no-implied-eval -- the text is ours: values are bound, names are quoted
    const make = new Function(...this.#names, this.text(`${loops++}-${name}`)) as (
      ...values: unknown[]
    ) => unknown;
    return make(...this.#values);
  }

  #name(name: string, value: unknown): string {
    this.#names.push(name);
    this.#values.push(value);
    this.#bound.set(value, name);
    return name;
  }
}
