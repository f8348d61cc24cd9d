/** The public surface of the sinks, `#sinks`: the places that results go to. */
export { iceberg } from './iceberg/iceberg.ts';
export { DEFAULT_WAREHOUSE } from './iceberg/iceberg-options.ts';
export type { IcebergOptions } from './iceberg/iceberg-options.ts';
export { removeOrphans } from './iceberg/orphan-files.ts';
export { bucket, day, hour, identity, month, truncate, year } from './iceberg/partition-transform.ts';
export type { PartitionTransform } from './iceberg/partition-transform.ts';
export { tableState } from './iceberg/table-state.ts';
export type { TableState } from './iceberg/table-state.ts';
export { timeSeries } from './timeseries/time-series.ts';
export type { TimeSeriesOptions } from './timeseries/time-series.ts';
export { openTimeSeriesReader } from './timeseries/time-series-reader.ts';
export type { TimeSeriesReader, TimeSeriesReaderOptions } from './timeseries/time-series-reader.ts';
export { seriesKeyText } from './timeseries/window-result.ts';
export type { SeriesKey, SeriesScalar, WindowResult } from './timeseries/window-result.ts';
export { postgresTimeSeries } from './timeseries/postgres-time-series.ts';
export type { PostgresTimeSeriesOptions } from './timeseries/postgres-time-series.ts';
