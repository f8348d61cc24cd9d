import {
  createPassThrough,
  InputMerger,
  type MultiInputOperator,
  type OperatorContext,
  type OperatorDefinition,
} from '#engine';

/** Several streams as one, in the order of arrival; its watermark is the minimum over them. */
export function union(): OperatorDefinition<MultiInputOperator> {
  return { kind: 'union', sides: [], create: createUnion };
}

function createUnion(context: OperatorContext): MultiInputOperator {
  const { output, inputKeys } = context;
  const inputs = inputKeys.map((_, input) => {
    const stages = context.inputStages[input] ?? [];
    return stages.length === 0 ? output : createPassThrough({ ...context, stages });
  });
  return {
    inputs: new InputMerger(inputs.length, {
      records: (input, records) => inputs[input]?.records(records),
      watermark: (time) => output.watermark(time),
      idle: () => output.idle(),
    }).inputs,
  };
}
