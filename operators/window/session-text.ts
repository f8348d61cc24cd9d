import {
  type FieldKeySpace,
  type LoopWriter,
  MAX_WATERMARK,
  type RowText,
  type ValueKeySpace,
  writeKeySlot,
} from '#engine';
import { type CellRows, PAGE_BITS, PAGE_ROWS } from './cell-rows.ts';
import type { CellPlan } from './cells.ts';
import { NO_SESSION, type SessionSet } from './session-set.ts';
import { writeAddToCells, writeInput } from './update-text.ts';

/** What the text works on and calls. */
interface SessionParts {
  readonly keys: FieldKeySpace | ValueKeySpace;
  readonly sessions: SessionSet;
  readonly rows: CellRows;
  readonly operator: {
    readonly gapOf: (row: unknown) => number;
    readonly place: (slot: number, time: number, gapMs: number) => number;
    readonly emit: (id: number) => void;
    readonly late: (row: unknown, time: number) => void;
  };
}

/**
 * Writes what one record does to its key's sessions. A record inside the key's latest session, whose result is still to come, only
 * moves its end (SS3); every other one is placed by a call.
 */
export function writeSession(
  writer: LoopWriter,
  row: RowText,
  parts: SessionParts,
  { plan, gapMs }: { readonly plan: CellPlan; readonly gapMs: number | null },
): void {
  const operator = writer.bind('session', parts.operator);
  const sessions = writer.bind('sessions', parts.sessions);
  // A row made inside a block would not be visible after it: make it first where it is needed anyway.
  const late = (gapMs === null ? null : row.again()) ?? row.object();
  const slot = writeKeySlot(writer, row, parts.keys);
  const values = plan.inputs.map((input) => writeInput(writer, row, input.of));
  const [time, gap, id, end] = ['time', 'gap', 'id', 'end'].map((name) => writer.local(name)) as [
    string,
    string,
    string,
    string,
  ];
  writer.line(`const ${time} = ${row.time};`);
  writer.line(`const ${gap} = ${gapMs ?? `${operator}.gapOf(${late})`};`);
  writer.line(`if (${sessions}.frozen !== null) ${sessions}.frozen.before(${slot});`);
  // Slots may lie beyond the heads: no session.
  writer.line(`let ${id} = ${sessions}.heads[${slot}] | ${NO_SESSION};`);
  writer.line(`const ${end} = ${sessions}.ends[${id}];`);
  writer.open(
    `if (${time} >= ${sessions}.starts[${id}] && ${time} <= ${end} && ${sessions}.armed[${id}] < ${end}) {`,
  );
  writer.line(
    `if (${time} + ${gap} > ${end}) ${sessions}.ends[${id}] = Math.min(${time} + ${gap}, ${MAX_WATERMARK});`,
  );
  writer.close('} else {');
  writer.line(`  ${id} = ${operator}.place(${slot}, ${time}, ${gap});`);
  writer.line(`  if (${id} === ${NO_SESSION}) { ${operator}.late(${late}, ${time}); continue; }`);
  writer.line('}');
  const rows = writer.bind('rows', parts.rows);
  const page = writer.local('page');
  const at = writer.local('at');
  writer.line(`const ${page} = ${rows}.pages[${id} >>> ${PAGE_BITS}];`);
  writer.line(`const ${at} = (${id} & ${PAGE_ROWS - 1}) * ${plan.cells.length};`);
  writeAddToCells(writer, plan, { page, at, objects: `${rows}.objects[${id}]`, time, values });
  writer.line(`if (${sessions}.armed[${id}] >= ${sessions}.ends[${id}]) ${operator}.emit(${id});`);
}
