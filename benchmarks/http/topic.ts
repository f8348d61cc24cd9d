import { PARTITIONER_KEY_GROUPS } from '#wire';

export const NAMESPACE = 'default';
/** The topic that rows come into. */
export const TOPIC = 'ingest';
export const PARTITIONS = 4;
export const PARTITIONED_BY = { fields: ['tenant', 'deviceId'], keyGroups: PARTITIONER_KEY_GROUPS };
