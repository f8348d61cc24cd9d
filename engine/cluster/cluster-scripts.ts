import { loadScript } from '../redis/script.ts';

const load = (file: string) => loadScript(new URL(`./scripts/${file}.lua`, import.meta.url));

/** The steps of the cluster store that must be atomic on the server. */
export const CLUSTER_SCRIPTS = {
  acquireLease: load('acquire-lease-2'),
  renewLease: load('renew-lease-2'),
  releaseLease: load('release-lease-1'),
  registerWorker: load('register-worker-4'),
  heartbeatWorker: load('heartbeat-worker-2'),
  deregisterWorker: load('deregister-worker-4'),
  listWorkers: load('list-workers-4'),
  sendControl: load('send-control-2'),
  keepInbox: load('keep-inbox-2'),
  changeJob: load('change-job-3'),
  requestJob: load('request-job-3'),
  settleRequest: load('settle-request-4'),
  pendingRequests: load('pending-requests-2'),
  publishStatus: load('publish-status-2'),
  removeJob: load('remove-job-7'),
  putChunk: load('put-chunk-1'),
  sealBundle: load('seal-bundle-1'),
  noteJob: load('note-job-1'),
  noteExchange: load('note-exchange-1'),
  createExchange: load('create-exchange-1'),
} as const;
