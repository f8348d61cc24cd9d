import t from 'tap';
import { createKeySpace, type Stage, writeKeySlot } from '#engine';
import { eventTime, schema, string } from '#wire';
import { RowLoop } from '../../../engine/runtime/row-loop.ts';
import { columnRecords } from '../../support/operator-bench.ts';

const Row = schema('row', { ts: eventTime(1), device: string(2), zone: string(3) });

function subject(fields: readonly string[], stages: readonly Stage[] = []) {
  const expected: number[][] = [];
  const slots: number[] = [];
  const expect = (them: Int32Array, count: number) => void expected.push([...them.subarray(0, count)]);
  const keys = createKeySpace({ kind: 'fields', fields }, 128, { expect });
  const loop = new RowLoop({
    name: 'under-test',
    stages,
    consumer: {
      accept: () => {},
      generate: (writer, row) =>
        writer.line(`${writer.bind('slots', slots)}.push(${writeKeySlot(writer, row, keys)});`),
    },
    onError: (error) => {
      throw error;
    },
    interpreted: false,
  });
  const run = (devices: readonly string[]) => {
    loop.run(
      columnRecords(
        Row,
        devices.map((device, ts) => ({ ts, device, zone: 'z' })),
      ),
    );
    for (const slot of slots) keys.slots.hold(slot);
    return slots.splice(0);
  };
  return { run, expected };
}

void t.test('keys of one text field are expected before their records come', async (test) => {
  const { run, expected } = subject(['device']);
  const [a, b, again] = run(['a', 'b', 'a']);
  test.equal(again, a);
  const [c] = run(['c', 'b']);
  run(['c', 'a', 'b']);
  test.same(
    expected.map((slots) => slots.toSorted((x, y) => x - y)),
    [
      [-1, -1],
      [-1, b],
      [a, b, c],
    ],
  );
});

void t.test('other keys, and those that may not come, are not expected', async (test) => {
  for (const { run, expected } of [
    subject(['device', 'zone']),
    subject(['device'], [{ kind: 'filter', run: () => true }]),
  ]) {
    test.equal(run(['a', 'b']).length, 2);
    test.same(expected, []);
  }
});
