import { type OperatorContext, type RowConsumer, RowLoop } from '#engine';

/**
 * The loop that takes an operator's records through the stages fused in front of it.
 * @param input which one it is, where the operator has several
 */
export function recordLoop(
  context: OperatorContext,
  consumer: RowConsumer,
  input?: { readonly index: number; readonly name: string },
): RowLoop {
  const name = `${context.operator}.${context.subtask}`;
  return new RowLoop({
    name: input === undefined ? name : `${name}.${input.name}`,
    stages: input === undefined ? context.stages : (context.inputStages[input.index] ?? []),
    consumer,
    onError: context.onRecordError,
    interpreted: context.interpreted,
  });
}
