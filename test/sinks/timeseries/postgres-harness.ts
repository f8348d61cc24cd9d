import { Client } from 'pg';
import type { Test } from 'tap';
import { type ErrorCode, hasCode, type SinkWriter } from '#engine';
import {
  postgresTimeSeries,
  type PostgresTimeSeriesOptions,
} from '../../../sinks/timeseries/postgres-time-series.ts';
import type { WindowResult } from '../../../sinks/timeseries/window-result.ts';
import { seriesContext } from './series-harness.ts';

/** A writer of table `table` that is closed when the test ends. Each table is a sink of its own. */
export async function openTable(
  t: Test,
  options: PostgresTimeSeriesOptions & { readonly table: string },
  attempt = 1,
  context: Parameters<typeof seriesContext>[1] = {},
): Promise<SinkWriter<WindowResult>> {
  const sink = postgresTimeSeries(options.table, options);
  const writer = await sink.openWriter(seriesContext(attempt, { operator: options.table, ...context }));
  t.teardown(() => writer.close());
  return writer;
}

/** A plain connection that is ended when the test is. */
export async function connectTo(t: Pick<Test, 'teardown'>, url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

export async function rejectedAs(t: Test, code: ErrorCode, promise: Promise<unknown>): Promise<void> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  t.ok(hasCode(error, code), `${code}: ${String(error)}`);
}
