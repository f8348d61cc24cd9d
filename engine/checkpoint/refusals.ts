import { MillraceError } from '../base/errors.ts';
import type { Ownership } from './checkpoint-store.ts';
import type { FenceDecision, PublishDecision, UploadDecision } from './protocol.ts';

/** Turns the refusal of an upload into its error. */
export function assertUploaded(
  { job, generation }: Ownership,
  blob: string,
  decision: UploadDecision,
  reservedBytes: number,
): void {
  switch (decision.kind) {
    case 'write':
    case 'already':
      return;
    case 'fenced':
      throw fenced(job, generation, decision.by);
    case 'no-space':
      throw new MillraceError(
        'MR_CHECKPOINT_NO_SPACE',
        `Blob '${blob}' of job '${job}' does not fit: ${decision.storedBytes} of ${reservedBytes} bytes reserved for its checkpoints are in use. Reserve more, retain fewer checkpoints, or remove savepoints.`,
        { details: { job, storedBytes: decision.storedBytes, reservedBytes } },
      );
    case 'taken':
      throw new MillraceError(
        'MR_INVARIANT',
        `invariant broken: blob '${blob}' of job '${job}' was written before with other bytes. This is a bug in Millrace.`,
      );
  }
}

/** The answer of `publish`, or the error of its refusal. */
export function publishOutcome(
  { job, generation }: Ownership,
  id: number,
  decision: PublishDecision,
): 'published' | 'already' {
  switch (decision.kind) {
    case 'publish':
      return 'published';
    case 'already':
      return 'already';
    case 'fenced':
      throw fenced(job, generation, decision.by);
    case 'stale':
      throw new MillraceError(
        'MR_CHECKPOINT_FAILED',
        `Checkpoint ${id} of job '${job}' came after ${decision.published} had been published. It is dropped; take a new one.`,
        { details: { job, checkpoint: id, published: decision.published } },
      );
    case 'incomplete':
      throw new MillraceError(
        'MR_CHECKPOINT_FAILED',
        `Checkpoint ${id} of job '${job}' names a blob that is not stored any more (the server lost writes, or what it was restored from has been removed). Take a full checkpoint.`,
        { details: { job, checkpoint: id } },
      );
  }
}

/** Throws when the claim was refused. */
export function assertOwned({ job, generation }: Ownership, decision: FenceDecision): void {
  if (decision.kind === 'fenced') throw fenced(job, generation, decision.by);
}

function fenced(job: string, generation: number, by: 'token' | 'generation'): MillraceError {
  const why =
    by === 'token' ? 'another coordinator has taken the job over' : 'a newer attempt of the job has started';
  return new MillraceError(
    'MR_CHECKPOINT_FENCED',
    `Generation ${generation} of job '${job}' may write nothing any more: ${why}. This attempt must end.`,
    { details: { job, generation, by } },
  );
}
