import type { ScriptRun } from './script-file-runs.ts';

const of = (name: string) => `engine/cluster/scripts/${name}.lua`;
const WORKERS = 'alive info load gone';
const JOB = 'lease leases desired commands pending settled status';
const send = (generation: number, first: number, messages: readonly string[], uuid = 'u1'): ScriptRun[2] => [
  'sender',
  uuid,
  'job',
  generation,
  first,
  60_000,
  200,
  16,
  6,
  ...messages,
];

/** What processes of a cluster share. */
export const CLUSTER_SCRIPT_RUNS: readonly ScriptRun[] = [
  [of('register-worker-4'), WORKERS, ['w1', 'one', '{}', 60_000, 2], 'ok'],
  [of('register-worker-4'), WORKERS, ['w2', 'two', '{}', 60_000, 2], 'ok'],
  [of('register-worker-4'), WORKERS, ['w3', 'three', '{}', 60_000, 2], 'full'],
  [of('heartbeat-worker-2'), 'alive load', ['w1', '{"slots":1}', -1], 1],
  [of('heartbeat-worker-2'), 'alive load', ['w1', '{"slots":2}', 60_000], 0],
  [of('register-worker-4'), WORKERS, ['w1', 'one', '{}', 60_000, 2], 'gone'],
  [of('list-workers-4'), WORKERS, [60_000, 5], 'w2'],
  [of('deregister-worker-4'), WORKERS, ['w2'], 1],
  [of('deregister-worker-4'), WORKERS, ['w2'], 0],
  [of('list-workers-4'), WORKERS, [60_000, 1], ''],
  [of('note-job-1'), 'names', ['job', 1], 1],
  [of('note-job-1'), 'names', ['job', 1], 1],
  [of('note-job-1'), 'names', ['other', 1], 0],
  [of('acquire-lease-2'), 'lease leases', ['a', 'first', 60_000, 'l1'], 'acquired'],
  [of('acquire-lease-2'), 'lease leases', ['a', 'first', 50_000, 'l1'], 'acquired'],
  [of('renew-lease-2'), 'lease leases', ['1:a', 40_000, 'l2'], 1],
  [of('renew-lease-2'), 'lease leases', ['1:b', 40_000, 'l3'], 0],
  [of('request-job-3'), 'desired commands pending', ['c0', 'savepoint', 2], 'unknown'],
  [of('change-job-3'), 'desired commands settled', ['c1', 'deploy', '', 1, 'parallelism', 4], 'settled'],
  [of('change-job-3'), 'desired commands settled', ['c1', 'deploy', '', 1, 'parallelism', 4], 'settled'],
  [of('change-job-3'), 'desired commands settled', ['c2', 'rescale', 7, 1, 'parallelism', 8], 'conflict'],
  [of('change-job-3'), 'desired commands settled', ['c2', 'rescale', 1, 1, 'parallelism', 8], 'settled'],
  [of('request-job-3'), 'desired commands pending', ['c3', 'savepoint', 2], 'pending'],
  [of('request-job-3'), 'desired commands pending', ['c4', 'restart', 2], 'pending'],
  [of('request-job-3'), 'desired commands pending', ['c5', 'restart', 2], 'full'],
  [of('pending-requests-2'), 'commands pending', [], 'c3'],
  [of('settle-request-4'), 'leases commands pending settled', ['1:x', 'c3', 'done', 1], 'fenced'],
  [of('settle-request-4'), 'leases commands pending settled', ['1:a', 'c9', 'done', 1], 'unknown'],
  [of('settle-request-4'), 'leases commands pending settled', ['1:a', 'c3', 'done', 1], 'settled'],
  [of('publish-status-2'), 'leases status', ['1:a', 2, '{"state":"running"}'], 'published'],
  [of('publish-status-2'), 'leases status', ['1:a', 1, '{}'], 'stale'],
  [of('publish-status-2'), 'leases status', ['1:b', 3, '{}'], 'fenced'],
  [of('remove-job-7'), JOB, [], 0],
  [of('release-lease-1'), 'lease', ['1:b'], 0],
  [of('note-exchange-1'), 'exchanges', [3, '["w1"]'], 1],
  [of('create-exchange-1'), 'x:1', [60_000], 1],
  [of('create-exchange-1'), 'x:1', [60_000], 0],
  [of('send-control-2'), 'inbox meta', send(1, 1, ['m1', 'm2']), 'ok'],
  [of('send-control-2'), 'inbox meta', send(1, 1, ['m1', 'm2']), 'ok'],
  [of('send-control-2'), 'inbox meta', send(1, 4, ['m4']), 'gap'],
  [of('send-control-2'), 'inbox meta', send(1, 3, ['m3'], 'u2'), 'fenced'],
  [of('send-control-2'), 'inbox meta', send(2, 1, ['x'.repeat(500)], 'u2'), 'full'],
  [of('keep-inbox-2'), 'inbox meta', [1, 'other', 18, 60_000], 'ok'],
  [of('keep-inbox-2'), 'inbox meta', [9, 'other', 18, 60_000], 'lost'],
  [of('put-chunk-1'), 'bundle', [0, 'first', 60_000], 1],
  [of('seal-bundle-1'), 'bundle', [2], 0],
  [of('put-chunk-1'), 'bundle', [1, 'second', 60_000], 1],
  [of('seal-bundle-1'), 'bundle', [2], 1],
  [of('put-chunk-1'), 'bundle', [2, 'third', 60_000], 0],
];

/** A job that nobody holds goes with all that is known of it. */
export const REMOVED_JOB_RUNS: readonly ScriptRun[] = [
  [of('acquire-lease-2'), 'lease leases', ['a', 'first', 60_000, 'l1'], 'acquired'],
  [of('change-job-3'), 'desired commands settled', ['c1', 'deploy', '', 1, 'parallelism', 4], 'settled'],
  [of('release-lease-1'), 'lease', ['1:a'], 1],
  [of('remove-job-7'), JOB, [], 1],
];
