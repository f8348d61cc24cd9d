import type { CheckpointId } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { LIMITS } from '../base/limits.ts';
import { packSnapshotRefs } from '../checkpoint/snapshot-ref-codec.ts';
import { errorRecord, type HostCommand, type HostPort, type HostReport } from './host-messages.ts';
import type { HostDeployment } from './host-protocol.ts';
import type { TaskHost } from './task-host.ts';

/**
 * Has a coordinator elsewhere run a host here, by messages. Resolves when it was told to close, or failed to open.
 * @param open makes the host; what it throws is reported
 */
export function serveHost(
  port: HostPort<HostReport, HostCommand>,
  clock: Clock,
  open: (deployment: HostDeployment) => Promise<TaskHost>,
): Promise<void> {
  return new HostServer(port, clock, open).done;
}

/**
 * Suspension points: opening, and each checkpoint. Commands are taken in the order in which they come.
 */
class HostServer {
  readonly #port: HostPort<HostReport, HostCommand>;
  readonly #clock: Clock;
  readonly #open: (deployment: HostDeployment) => Promise<TaskHost>;
  readonly #done = Promise.withResolvers<void>();
  #host: TaskHost | null = null;
  #closing = false;

  constructor(
    port: HostPort<HostReport, HostCommand>,
    clock: Clock,
    open: (deployment: HostDeployment) => Promise<TaskHost>,
  ) {
    this.#port = port;
    this.#clock = clock;
    this.#open = open;
    port.listen((command) => void this.#on(command));
  }

  get done(): Promise<void> {
    return this.#done.promise;
  }

  async #on(command: HostCommand): Promise<void> {
    const host = this.#host;
    switch (command.kind) {
      case 'open':
        return this.#opening(command.deployment);
      case 'run':
        return this.#running();
      case 'checkpoint':
        return this.#checkpoint(command.id);
      case 'abort':
        return host?.abort(command.id);
      case 'completed':
        return host?.completed(command.id);
      case 'stop-sources':
        return host?.stopSources(command.drain);
      case 'align':
        return host?.align(command.lowestElsewhere);
      case 'stop':
        return host?.stop();
      case 'close':
        return this.#close();
    }
  }

  async #opening(deployment: HostDeployment): Promise<void> {
    try {
      const host = await this.#open(deployment);
      if (this.#closing) return await host.close();
      this.#host = host;
      this.#port.post({ kind: 'opened', starts: host.starts });
    } catch (error) {
      this.#port.post({ kind: 'failed', error: errorRecord(error) });
    }
  }

  async #running(): Promise<void> {
    this.#reportStatus();
    try {
      const outcome = await (this.#host as TaskHost).run();
      this.#port.post({ kind: 'status', status: (this.#host as TaskHost).status() });
      this.#port.post({ kind: 'ended', outcome });
    } catch (error) {
      if (!this.#closing) this.#port.post({ kind: 'failed', error: errorRecord(error) });
    }
  }

  async #checkpoint(id: CheckpointId): Promise<void> {
    try {
      const { snapshots, ...rest } = await (this.#host as TaskHost).checkpoint(id);
      this.#port.post({
        kind: 'acknowledged',
        acknowledgement: { ...rest, snapshots: packSnapshotRefs(snapshots) },
      });
    } catch (error) {
      if (!this.#closing) this.#port.post({ kind: 'declined', id, error: errorRecord(error) });
    }
  }

  #reportStatus(): void {
    if (this.#closing || this.#host === null) return;
    this.#port.post({ kind: 'status', status: this.#host.status() });
    this.#clock.after(LIMITS.hostStatusEveryMs, () => this.#reportStatus());
  }

  async #close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    await this.#host?.close();
    this.#port.post({ kind: 'closed' });
    this.#done.resolve();
  }
}
