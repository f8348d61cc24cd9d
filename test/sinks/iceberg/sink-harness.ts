import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CheckpointId,
  checkpointId,
  generation,
  type PartitionLog,
  type Sink,
  type SinkCommitRequest,
  type SinkCommitter,
  type SinkContext,
  type SinkInput,
  type SinkWriter,
  systemClock,
  systemRandom,
} from '#engine';

/** A folder that is gone when the test ends. */
export async function temporaryFolder(t: {
  readonly teardown: (fn: () => Promise<void>) => void;
}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-iceberg-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export function sinkContext(overrides: Partial<SinkContext> = {}): SinkContext {
  return {
    job: 'job',
    operator: 'lake',
    subtask: 0,
    parallelism: 1,
    generation: generation(1),
    sinkId: 'sink-1',
    nextSeq: 1,
    undoFloor: () => checkpointId(0),
    namespace: 'test',
    log: null as unknown as PartitionLog, // this sink never touches the log
    clock: systemClock,
    random: systemRandom,
    signal: new AbortController().signal,
    killPoint: () => {},
    deadLetter: (_row, reason) => {
      throw new Error(`no row was to be refused: ${reason}`);
    },
    ...overrides,
  };
}

/** A writer that ends with the test, whatever becomes of it. */
export async function openWriter<Row>(
  t: { readonly teardown: (fn: () => Promise<void>) => void },
  sink: Sink<Row>,
  context: SinkContext = sinkContext(),
): Promise<SinkWriter<Row>> {
  const writer = await sink.openWriter(context);
  t.teardown(writer.close);
  return writer;
}

export function openCommitter(
  sink: Sink<never>,
  context: SinkContext = sinkContext(),
): Promise<SinkCommitter> {
  if (sink.openCommitter === undefined) throw new Error('an exactly-once sink has a committer');
  return sink.openCommitter(context);
}

/** Plain rows as a sink gets them. */
export function rowsInput<Row>(rows: readonly Row[]): SinkInput<Row> {
  return { kind: 'rows', rows, times: new Float64Array(rows.length) };
}

/** Writes rows and stages them: what a barrier makes of one subtask. */
export async function stage<Row>(
  writer: SinkWriter<Row>,
  rows: readonly Row[],
  seq: number,
): Promise<unknown> {
  await writer.write(rowsInput(rows));
  return writer.prepareCommit(checkpointId(seq));
}

export function commitRequest(
  seq: number,
  committables: readonly unknown[],
  checkpoint: number = seq,
): SinkCommitRequest {
  return { seq, checkpoint: checkpointId(checkpoint) as CheckpointId, committables };
}
