import { type OperatorContext, type RowConsumer, RowLoop } from '#engine';

/**
 * The loop that takes an operator's records through the stages fused in front of it.
 * @param input names the loop where the operator has several
 */
export function recordLoop(context: OperatorContext, consumer: RowConsumer, input?: string): RowLoop {
  const name = `${context.operator}.${context.subtask}`;
  return new RowLoop({
    name: input === undefined ? name : `${name}.${input}`,
    stages: context.stages,
    consumer,
    onError: context.onRecordError,
    interpreted: context.interpreted,
  });
}
