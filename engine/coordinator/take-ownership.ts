import { hasCode } from '../base/errors.ts';
import type { Ownership } from '../checkpoint/checkpoint-store.ts';
import { historyChanges } from './attempt.ts';
import type { JobEnvironment } from './job-environment.ts';

/** What an attempt works under. */
export interface Owned {
  readonly ownership: Ownership;
  /** {@link historyChanges} before it was given out. */
  readonly histories: number;
}

/** Tries to have a new generation made durable, across a fail-over that is noticed meanwhile. */
const TRIES_MAX = 3;

/**
 * Token and generation of a job's next attempt. They are durable before they are used, so that no other attempt is ever given the same ones; what
 * a server has lost before that is nothing of this attempt's.
 * @param before of the attempt before it in this process; null: none, the job is taken over from whoever ran it
 */
export async function takeOwnership(
  job: string,
  before: Ownership | null,
  { store, log, owner }: Pick<JobEnvironment, 'store' | 'log' | 'owner'>,
): Promise<Owned> {
  for (let tries = 1; ; tries++) {
    const histories = historyChanges(log, store);
    const ownership = before === null ? await store.takeOver(job, owner) : await store.nextGeneration(before);
    try {
      await Promise.all([store.confirmDurable(), log.confirmDurable()]);
      if (historyChanges(log, store) === histories) return { ownership, histories };
    } catch (error) {
      if (!hasCode(error, 'MR_CHECKPOINT_NOT_DURABLE') || tries === TRIES_MAX) throw error;
    }
  }
}
