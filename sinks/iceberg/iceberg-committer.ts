/**
 * Commits what checkpoints have made final: one snapshot per seq, in order, each once.
 *
 * How far a sink has got is in the table itself: the tag `millrace-<sinkId>` is on its newest snapshot, whose summary names seq
 * and checkpoint. Other engines' expiry keeps tagged snapshots; should the tag be gone, a table property that moves in the same
 * step answers. Walking back through ancestors would not do: expiry breaks the chain, and then "never" and "lost" look alike.
 *
 * Suspension points: `commit`, `recover`.
 *
 * IC1 A seq at or below the table's is not committed again, whoever committed it (SC1).
 * IC2 The same seq under another checkpoint id is a fork of the job's history: MR_SINK_AHEAD, never silence.
 * IC3 Files are deleted only after the metadata that dropped them is the head, and a failure to delete does not fail a commit.
 */
import { stat } from 'node:fs/promises';
import { MillraceError, type SinkCommitRequest, type SinkCommitter, type SinkContext } from '#engine';
import { pathOf, withFileErrors } from './durable-file.ts';
import type { LoadedTable } from './file-catalog.ts';
import { type IcebergCommittable, icebergCommittable } from './iceberg-committable.ts';
import { deleteUnreachable, expiredSnapshots } from './snapshot-expiry.ts';
import type { TableBinding } from './table-binding.ts';
import { type AppendResult, appendToTable, loadTable } from './table-commit.ts';
import { snapshotById, type TableMetadata } from './table-metadata.ts';

/** A sink that has not committed for this long may lose its tag to other engines' maintenance. */
const TAG_MAX_AGE_MS = 30 * 86_400_000;

export class IcebergCommitter<Row> implements SinkCommitter {
  readonly #table: TableBinding<Row>;
  readonly #context: SinkContext;
  #last: LoadedTable | null = null;
  #rowsCommitted = 0;
  #filesCommitted = 0;
  #snapshotsCommitted = 0;
  #conflicts = 0;
  #lastCommitMs = 0;
  #cleanupFailures = 0;

  constructor(table: TableBinding<Row>, context: SinkContext) {
    this.#table = table;
    this.#context = context;
  }

  commit = async (request: SinkCommitRequest): Promise<void> => {
    const staged = request.committables
      .filter((it) => it !== null && it !== undefined)
      .map(icebergCommittable);
    if (staged.length === 0) return;
    const startMs = this.#context.clock.monotonic();
    const result = await withFileErrors(this.#table.name, () => this.#append(request, staged));
    this.#last = result.table;
    this.#conflicts += result.conflicts;
    if (result.kind === 'already') return;
    this.#rowsCommitted += sum(staged, 'rows');
    this.#filesCommitted += sum(staged, 'files');
    this.#snapshotsCommitted++;
    this.#lastCommitMs = this.#context.clock.monotonic() - startMs;
    if (result.expired.length > 0) {
      await deleteUnreachable(result.before, result.table.metadata, result.expired).catch(
        () => this.#cleanupFailures++,
      ); // IC3
    }
  };

  recover = async (pending: readonly SinkCommitRequest[], restoredSeq: number): Promise<void> => {
    this.#last = await withFileErrors(this.#table.name, () => loadTable(this.#table.catalog));
    const done = committedBy(this.#last.metadata, this.#context.sinkId);
    if (done !== null && done.seq > restoredSeq)
      throw this.#ahead(done, `the restored checkpoint ends at ${restoredSeq}`);
    for (const request of [...pending].sort((a, b) => a.seq - b.seq)) await this.commit(request);
  };

  stats = (): Readonly<Record<string, number>> => ({
    rowsCommitted: this.#rowsCommitted,
    filesCommitted: this.#filesCommitted,
    snapshotsCommitted: this.#snapshotsCommitted,
    conflicts: this.#conflicts,
    lastCommitMs: this.#lastCommitMs,
    cleanupFailures: this.#cleanupFailures,
  });

  close = async (): Promise<void> => {};

  async #append(request: SinkCommitRequest, staged: readonly IcebergCommittable[]): Promise<AppendResult> {
    const { sinkId, job } = this.#context;
    const { options, catalog, manifestContext } = this.#table;
    const alreadyDone = (metadata: TableMetadata) => this.#isCommitted(metadata, request);
    if (this.#last === null || !alreadyDone(this.#last.metadata)) await this.#checkManifests(staged);
    return appendToTable(
      {
        catalog,
        base: this.#last,
        manifests: staged.map(({ manifest }) => manifest),
        totals: {
          files: sum(staged, 'files'),
          rows: sum(staged, 'rows'),
          bytes: sum(staged, 'bytes'),
          partitions: sum(staged, 'partitions'),
        },
        summary: {
          'millrace.sink-id': sinkId,
          'millrace.max-committed-seq': String(request.seq),
          'millrace.checkpoint-id': String(request.checkpoint),
          'millrace.job': job,
        },
        tags: { [tagName(sinkId)]: { maxAgeMs: TAG_MAX_AGE_MS } },
        properties: { [propertyName(sinkId)]: `${request.seq}:${request.checkpoint}` },
        alreadyDone,
        expired: (metadata, nowMs) => expiredSnapshots(metadata, options.expire, nowMs),
        merge: {
          mergeCount: options.manifestsMergeCount,
          targetBytes: options.manifestTargetBytes,
          context: manifestContext,
        },
      },
      this.#context,
    );
  }

  #isCommitted(metadata: TableMetadata, { seq, checkpoint }: SinkCommitRequest): boolean {
    const done = committedBy(metadata, this.#context.sinkId);
    if (done === null || done.seq < seq) return false;
    if (done.seq === seq && done.checkpoint !== checkpoint) {
      throw this.#ahead(done, `this attempt commits it for checkpoint ${checkpoint}`); // IC2
    }
    return true;
  }

  /** A snapshot that names a missing manifest would make the whole table unreadable. */
  async #checkManifests(staged: readonly IcebergCommittable[]): Promise<void> {
    for (const { manifest } of staged) {
      const path = pathOf(manifest.manifest_path);
      const size = await stat(path).then(
        (it) => it.size,
        () => -1,
      );
      if (size === Number(manifest.manifest_length)) continue;
      throw new MillraceError(
        'MR_TABLE_CORRUPT',
        `Iceberg table ${this.#table.name}: the staged manifest ${path} is ${size < 0 ? 'gone' : 'damaged'}. Restore the file, or restore an older checkpoint under a new sink id.`,
      );
    }
  }

  #ahead(done: CommittedSeq, why: string): MillraceError {
    const { sinkId, job } = this.#context;
    return new MillraceError(
      'MR_SINK_AHEAD',
      `Iceberg table ${this.#table.name} already has seq ${done.seq} (checkpoint ${done.checkpoint}) of sink ${sinkId} of job ${job}, and ${why}. ` +
        `Roll main and the tag ${tagName(sinkId)} back to the restored checkpoint's snapshot, restore under a new sink id, or restore a newer checkpoint.`,
      { details: { sinkId, committedSeq: done.seq } },
    );
  }
}

interface CommittedSeq {
  readonly seq: number;
  readonly checkpoint: number;
}

/** How far a sink has got in a table, or null when it has committed nothing. */
function committedBy(metadata: TableMetadata, sinkId: string): CommittedSeq | null {
  const tagged = snapshotById(metadata, metadata.refs?.[tagName(sinkId)]?.['snapshot-id']);
  if (tagged?.summary['millrace.sink-id'] === sinkId) {
    return {
      seq: Number(tagged.summary['millrace.max-committed-seq']),
      checkpoint: Number(tagged.summary['millrace.checkpoint-id']),
    };
  }
  const property = metadata.properties?.[propertyName(sinkId)];
  if (property === undefined) return null;
  const [seq, checkpoint] = property.split(':').map(Number);
  return { seq: seq ?? 0, checkpoint: checkpoint ?? 0 };
}

const tagName = (sinkId: string): string => `millrace-${sinkId}`;
const propertyName = (sinkId: string): string => `millrace.committed.${sinkId}`;

function sum(staged: readonly IcebergCommittable[], key: 'files' | 'rows' | 'bytes' | 'partitions'): number {
  return staged.reduce((total, it) => total + it[key], 0);
}
