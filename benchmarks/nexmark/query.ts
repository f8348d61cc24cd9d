import { type DataStream, defineJob, type JobDefinition, partitionLog } from '#operators';
import type { Bid } from './event-kinds.ts';
import { NexmarkEvent } from './event.ts';
import { type ResultForm, ResultSink } from './result-sink.ts';

export const TOPIC = 'nexmark';

export interface PlannedQuery {
  readonly job: JobDefinition;
  readonly results: Pick<ResultSink<unknown>, 'summary' | 'lines'>;
}

/** Plans one run of a query. */
export type Query = (options: { readonly keepsLines: boolean }) => PlannedQuery;

export type Events = DataStream<NexmarkEvent, 'exactly-once'>;

/** Events come in the order of their times, so that no bound is needed. */
export function query<Row>(
  form: ResultForm<Row>,
  describe: (events: Events) => DataStream<Row, 'exactly-once'>,
): Query {
  return ({ keepsLines }) => {
    const results = new ResultSink(form, keepsLines);
    const job = defineJob('nexmark', { guarantee: 'exactly-once', checkpointInterval: '1s' }, (build) => {
      const events = build.source('events', partitionLog(TOPIC, NexmarkEvent), { idleAfter: '1h' });
      describe(events).to('results', results);
    });
    return { job, results };
  };
}

/** What bids are in results. */
export interface Offer {
  readonly auction: number;
  readonly bidder: number;
  readonly price: number;
  readonly at: number;
}

export const offerOf = ({ auction, bidder, price, at }: Bid): Offer => ({ auction, bidder, price, at });
export const offerValues = ({ auction, bidder, price, at }: Offer) => [auction, bidder, price, at];
