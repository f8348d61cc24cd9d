import type { Feed, FeedSize } from './feed.ts';
import type { ResultDigest } from './result-digest.ts';

/** One query, written by hand and run by the engine on the same feed; the digests of their results must agree. */
export interface Workload {
  /** What is asked, and of what. */
  readonly title: string;
  /** Events that a run with `--events` takes, as a share of it. */
  readonly eventsShare: number;
  readonly feed: (size: FeedSize) => Feed;
  /**
   * The best that JavaScript does with these columns for exactly this query: arrays indexed by slot, results as numbers. No keys to
   * recycle, no late records, no snapshots, no objects.
   */
  readonly byHand: Variant;
  readonly byEngine: Variant;
}

/** Runs a whole feed and adds each result to the digest. */
export type Variant = (feed: Feed, digest: ResultDigest) => void;
