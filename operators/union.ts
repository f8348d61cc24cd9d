import { InputMerger, type MultiInputOperator, type OperatorDefinition } from '#engine';

/** Several streams as one, in the order of arrival; its watermark is the minimum over them. */
export function union(): OperatorDefinition<MultiInputOperator> {
  return {
    kind: 'union',
    sides: [],
    create: ({ output, inputKeys }) => ({
      inputs: new InputMerger(inputKeys.length, {
        records: (_, records) => output.records(records),
        watermark: (time) => output.watermark(time),
        idle: () => output.idle(),
      }).inputs,
    }),
  };
}
