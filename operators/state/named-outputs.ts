import { type OperatorContext, type Output, RowEmitter } from '#engine';

/** The main output of an operator and its side outputs by name: rows are gathered, time goes to all. */
export class NamedOutputs {
  readonly main: RowEmitter;
  readonly sides: ReadonlyMap<string, RowEmitter>;
  readonly #emitters: readonly RowEmitter[];
  readonly #outputs: readonly Output[];

  constructor(context: OperatorContext, sides: readonly string[]) {
    this.#outputs = [context.output, ...sides.map((name) => context.side(name))];
    this.#emitters = this.#outputs.map((output) => new RowEmitter(output));
    this.main = this.#emitters[0] as RowEmitter;
    this.sides = new Map(sides.map((name, i) => [name, this.#emitters[i + 1] as RowEmitter]));
  }

  /** Hands on what is gathered; at the end of every operator call (OP1). */
  flush(): void {
    for (const emitter of this.#emitters) emitter.flush();
  }

  watermark(time: number): void {
    this.flush();
    for (const output of this.#outputs) output.watermark(time);
  }

  idle(): void {
    for (const output of this.#outputs) output.idle();
  }
}
