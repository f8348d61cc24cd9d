import {
  type LoopWriter,
  MillraceError,
  type Operator,
  type OperatorContext,
  type OperatorDefinition,
  type Output,
  type Records,
  resultOf,
  RowEmitter,
  RowLoop,
  type RowText,
  SelectionBuilder,
} from '#engine';

type Predicate = (row: unknown) => unknown;

/**
 * Each record to the side output of the first predicate that it meets, in the order of their names; to the main output when it
 * meets none.
 */
export function split(predicates: Readonly<Record<string, Predicate>>): OperatorDefinition<Operator> {
  const sides = Object.keys(predicates);
  if (sides.length === 0)
    throw new MillraceError('MR_GRAPH_INVALID', 'split needs at least one named predicate.');
  return { kind: 'split', sides, create: (context) => createSplit(predicates, context) };
}

function createSplit(predicates: Readonly<Record<string, Predicate>>, context: OperatorContext): Operator {
  const branches = Object.entries(predicates).map(([name, predicate]) => ({
    predicate,
    branch: new Branch(context.side(name)),
  }));
  const rest = new Branch(context.output);
  const all = [...branches.map(({ branch }) => branch), rest];
  const accept = (row: unknown, time: number) => {
    const met = branches.find(({ predicate }) => predicate(row));
    (met?.branch ?? rest).emit(row, time);
  };
  const loop = new RowLoop({
    name: `${context.operator}.${context.subtask}`,
    stages: context.stages,
    consumer: { accept, generate: (writer, row) => generate(writer, row, branches, rest) },
    onError: context.onRecordError,
    interpreted: context.interpreted,
  });
  return {
    records(records) {
      loop.run(records);
      for (const branch of all) branch.flush(records);
    },
    watermark: (time) => all.forEach((branch) => branch.output.watermark(time)),
    idle: () => all.forEach((branch) => branch.output.idle()),
  };
}

function generate(
  writer: LoopWriter,
  row: RowText,
  branches: readonly { readonly predicate: Predicate; readonly branch: Branch }[],
  rest: Branch,
): void {
  const object = row.columns !== null && row.isInput ? null : row.object();
  const give = (branch: Branch) => {
    const bound = writer.bind('branch', branch);
    return object === null
      ? `${bound}.keep(${row.columns?.index});`
      : `${bound}.emit(${object}, ${row.time});`;
  };
  // All of them first: one may need a line of its own, which cannot stand between two branches.
  const tests = branches.map(({ predicate }) => resultOf(writer, row, 'predicate', predicate).text());
  for (const [i, { branch }] of branches.entries())
    writer.line(`${i > 0 ? 'else ' : ''}if (${tests[i]}) ${give(branch)}`);
  writer.line(`else ${give(rest)}`);
}

/** One of the outputs; records that are still columns leave as a selection of them. */
class Branch {
  readonly output: Output;
  readonly #emitter: RowEmitter;
  readonly #kept = new SelectionBuilder();

  constructor(output: Output) {
    this.output = output;
    this.#emitter = new RowEmitter(output);
  }

  emit(row: unknown, time: number): void {
    this.#emitter.emit(row, time);
  }

  keep(index: number): void {
    this.#kept.add(index);
  }

  flush(records: Records): void {
    this.#emitter.flush();
    if (this.#kept.count === 0 || records.kind !== 'columns') return;
    this.output.records({ kind: 'columns', batch: records.batch, selection: this.#kept.take() });
  }
}
