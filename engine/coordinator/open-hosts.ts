import type { CheckpointStore } from '../checkpoint/checkpoint-store.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { HostDeployment, HostHandle } from '../host/host-protocol.ts';
import { TaskHost } from '../host/task-host.ts';
import type { AttemptEnvironment } from '../runtime/attempt-environment.ts';

/** What all hosts of an attempt are told alike. */
export interface HostsPlan {
  readonly graph: ExecutionGraph;
  readonly deployment: Omit<HostDeployment, 'host' | 'places'>;
}

/** Places an attempt's slots on hosts and opens them; resolves when all are open. Nothing runs yet. */
export type OpenHosts = (plan: HostsPlan, environment: AttemptEnvironment) => Promise<readonly HostHandle[]>;

/** All slots on one host in this thread. */
export function hostInThisThread(store: CheckpointStore, opened?: (host: TaskHost) => void): OpenHosts {
  return async ({ graph, deployment }, environment) => {
    const places = Array.from({ length: deployment.parallelism }, () => 0);
    const host = await TaskHost.open({
      graph,
      deployment: { ...deployment, host: 0, places },
      environment,
      store,
      exchange: null,
    });
    opened?.(host);
    return [host];
  };
}
