import t from 'tap';
import type { ForwarderStats } from '../../edge-forwarder/forwarder.ts';
import { metricsText } from '../../edge-forwarder/metrics-file.ts';
import { promtool } from '../ops/support/promtool.ts';

const STATS: ForwarderStats = {
  delivered: 10,
  deliveredBytes: 130,
  deliveredFrames: 1,
  duplicates: 0,
  rewinds: 0,
  accepted: 15,
  rejected: 1,
  commits: 2,
  pending: 5,
  pendingBytes: 70,
  oldestPendingMs: null,
  backpressured: null,
  backpressuredMs: 2_500,
  inputHeld: false,
  droppedDeclared: -1,
  bytesPerRecord: 13,
  state: 'delivering',
  lifetime: { accepted: 15, rejected: 1, dropped: 0, lost: 0 },
};

await t.test(
  'promtool accepts the text of a forwarder that is held, and of one that is not (O4, E11)',
  async (t) => {
    const calm = metricsText(STATS, 'telemetry', 'gw-1');
    t.equal(promtool(['check', 'metrics'], calm), '');
    t.match(calm, 'millrace_edge_backpressured_seconds_total{topic="telemetry",producer="gw-1"} 2.5\n');
    t.match(calm, 'millrace_edge_dropped_records_total{topic="telemetry",producer="gw-1"} 0\n');
    t.notMatch(calm, /since|partition_full/);
    const held = {
      ...STATS,
      oldestPendingMs: 1_500,
      backpressured: { since: 5_000, partitions: [0, 7] },
      inputHeld: true,
    };
    const text = metricsText(held, 'telemetry', 'gw-1');
    t.equal(promtool(['check', 'metrics'], text), '');
    for (const line of ['backpressured', 'input_held'])
      t.match(text, `millrace_edge_${line}{topic="telemetry",producer="gw-1"} 1\n`);
    t.match(text, 'millrace_edge_pending_age_seconds{topic="telemetry",producer="gw-1"} 1.5\n');
    t.match(
      text,
      'millrace_edge_backpressured_since_timestamp_seconds{topic="telemetry",producer="gw-1"} 5\n',
    );
    t.match(text, 'millrace_edge_partition_full{topic="telemetry",producer="gw-1",partition="7"} 1\n');
  },
);
