import type { CheckpointId } from '../base/brand.ts';
import { MillraceError } from '../base/errors.ts';
import type { CheckpointStore } from '../checkpoint/checkpoint-store.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import { decideRestore, type LogFacts, type Refusal } from '../checkpoint/protocol.ts';
import { refuseMismatch } from '../checkpoint/restored-state.ts';
import type { JobGraph } from '../graph/job-graph.ts';
import type { PartitionLog } from '../log/partition-log.ts';

/** A checkpoint to begin from instead of the job's newest: an older one, a savepoint, or one of another job (a fork). */
export interface RestoreFrom {
  readonly job: string;
  readonly checkpoint: CheckpointId;
  /** The job's newest checkpoint when this was asked for, 0 for none: once it has a newer one, that one counts. */
  readonly asOf: number;
}

/** What a restore has to go by. */
interface RestoreSetting {
  readonly store: CheckpointStore;
  readonly log: PartitionLog;
  /** Operators that the job does not have any more, and whose state is to be dropped. */
  readonly allowNonRestored?: readonly string[];
}

/**
 * The manifest that a new attempt begins from, or null: afresh.
 * @param ruledOut checkpoints that a reader has found not to match their log
 * @throws MR_LOG_TRIMMED when the job has checkpoints and none fits its logs; MR_STATE_INCOMPATIBLE; MR_CHECKPOINT_FAILED when what was
 *   asked for is not there
 */
export async function chooseRestore(
  { job, options, nodes }: { job: string } & Pick<JobGraph, 'options' | 'nodes'>,
  { store, log, allowNonRestored = [] }: RestoreSetting,
  from: RestoreFrom | null,
  ruledOut: ReadonlySet<CheckpointId>,
): Promise<Manifest | null> {
  const own = await store.list(job);
  const newest = own.at(-1)?.id ?? 0;
  const asked = from !== null && newest <= from.asOf ? from : null;
  const manifests = asked === null || asked.job === job ? own : await store.list(asked.job);
  const facts = await logFacts(log, manifests);
  const decision = decideRestore({
    manifests,
    chosen: asked?.checkpoint ?? null,
    log: (topic, partition) => facts.get(`${topic}:${partition}`) ?? null,
    ruledOut,
  });
  if (decision.kind === 'fresh') return null;
  if (decision.kind === 'impossible') throw impossible(job, asked, decision.refused);
  const operators = nodes.flatMap((node) => (node.kind === 'stage' ? [] : [node.id]));
  refuseMismatch(decision.manifest, new Set([...operators, ...allowNonRestored]), options.maxParallelism);
  return decision.manifest;
}

function impossible(job: string, asked: RestoreFrom | null, refused: readonly Refusal[]): MillraceError {
  if (asked !== null && refused.length === 0) {
    return new MillraceError(
      'MR_CHECKPOINT_FAILED',
      `Job '${job}' cannot begin from checkpoint ${asked.checkpoint} of '${asked.job}': it is not retained. List the checkpoints that are.`,
    );
  }
  const reasons = refused.map(({ id, positions }) => {
    const where = positions.map((p) => `${p.topic}/${p.partition} ${p.verdict}`).join(', ');
    return `${id}: ${where || 'chain mismatch'}`;
  });
  return new MillraceError(
    'MR_LOG_TRIMMED',
    `Job '${job}' cannot resume: none of its ${refused.length} checkpoints fits the logs any more (${reasons.join('; ')}). ` +
      'Replay the raw events from the lake into the topic, or start the job under another name.',
  );
}

async function logFacts(
  log: PartitionLog,
  manifests: readonly Manifest[],
): Promise<ReadonlyMap<string, LogFacts>> {
  const facts = new Map<string, LogFacts>();
  for (const topic of new Set(manifests.flatMap((m) => m.positions.map((p) => p.topic)))) {
    const known = await log.topic(topic);
    for (let partition = 0; partition < (known?.partitions ?? 0); partition++) {
      const [start, end] = await Promise.all([
        log.position(topic, partition, 'earliest'),
        log.position(topic, partition, 'latest'),
      ]);
      facts.set(`${topic}:${partition}`, { start, end });
    }
  }
  return facts;
}
