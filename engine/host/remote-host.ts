import type { CheckpointId } from '../base/brand.ts';
import { MillraceError } from '../base/errors.ts';
import { unpackSnapshotRefs } from '../checkpoint/snapshot-ref-codec.ts';
import type { HostCommand, HostPort, HostReport } from './host-messages.ts';
import { errorOf } from './host-messages.ts';
import type { LowestByGroup } from '../source/watermark-alignment.ts';
import type {
  HostAcknowledgement,
  HostDeployment,
  HostHandle,
  HostStatus,
  SourceStart,
} from './host-protocol.ts';

/**
 * The coordinator's end of a host in another thread or process. Suspends only for its reports.
 *
 * RH1 whatever waits for the host is rejected when the host is {@link lost}, and what comes of it later is ignored.
 */
export class RemoteHost implements HostHandle {
  readonly #port: HostPort<HostCommand, HostReport>;
  readonly #release: () => Promise<void>;
  readonly #opened = Promise.withResolvers<readonly SourceStart[]>();
  readonly #ended = Promise.withResolvers<'ended' | 'stopped'>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #checkpoints = new Map<CheckpointId, PromiseWithResolvers<HostAcknowledgement>>();
  #starts: readonly SourceStart[] = [];
  #status: HostStatus = { members: [], tasks: [], sources: [], sinks: [] };
  #lost = false;

  /** @param release called when the host is closed or lost: ends its thread, or forgets its process */
  private constructor(port: HostPort<HostCommand, HostReport>, release: () => Promise<void>) {
    this.#port = port;
    this.#release = release;
    for (const { promise } of [this.#opened, this.#ended]) promise.catch(() => {});
    port.listen((report) => {
      if (!this.#lost) this.#on(report);
    });
  }

  /** @throws what kept it from opening */
  static async open(
    port: HostPort<HostCommand, HostReport>,
    deployment: HostDeployment,
    release: () => Promise<void>,
    onCreate: (host: RemoteHost) => void,
  ): Promise<RemoteHost> {
    const host = new RemoteHost(port, release);
    onCreate(host);
    port.post({ kind: 'open', deployment });
    try {
      host.#starts = await host.#opened.promise;
      return host;
    } catch (error) {
      await host.close();
      throw error;
    }
  }

  get starts(): readonly SourceStart[] {
    return this.#starts;
  }

  run(): Promise<'ended' | 'stopped'> {
    this.#port.post({ kind: 'run' });
    return this.#ended.promise;
  }

  checkpoint(id: CheckpointId): Promise<HostAcknowledgement> {
    const waiting = Promise.withResolvers<HostAcknowledgement>();
    waiting.promise.catch(() => {});
    this.#checkpoints.set(id, waiting);
    if (this.#lost) waiting.reject(lostHost('it is gone'));
    else this.#port.post({ kind: 'checkpoint', id });
    return waiting.promise;
  }

  abort(id: CheckpointId): void {
    this.#checkpoints.delete(id);
    this.#port.post({ kind: 'abort', id });
  }

  completed(id: CheckpointId): void {
    this.#checkpoints.delete(id);
    this.#port.post({ kind: 'completed', id });
  }

  stopSources(drain: boolean): void {
    this.#port.post({ kind: 'stop-sources', drain });
  }

  align(lowestElsewhere: LowestByGroup): void {
    this.#port.post({ kind: 'align', lowestElsewhere });
  }

  stop(): void {
    this.#port.post({ kind: 'stop' });
  }

  status(): HostStatus {
    return this.#status;
  }

  /** It will not answer any more. */
  lost(error: unknown): void {
    if (this.#lost) return;
    this.#lost = true;
    for (const waiting of [this.#opened, this.#ended, ...this.#checkpoints.values()]) waiting.reject(error);
    this.#closed.resolve();
  }

  async close(): Promise<void> {
    if (!this.#lost) this.#port.post({ kind: 'close' });
    await this.#release();
    this.lost(lostHost('it was closed'));
  }

  /** Resolves when it has said that it is closed, or is lost. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  #on(report: HostReport): void {
    switch (report.kind) {
      case 'opened':
        return this.#opened.resolve(report.starts);
      case 'acknowledged': {
        const { snapshots, ...rest } = report.acknowledgement;
        const acknowledgement = { ...rest, snapshots: unpackSnapshotRefs(snapshots) };
        return this.#checkpoints.get(rest.checkpoint)?.resolve(acknowledgement);
      }
      case 'declined':
        return this.#checkpoints.get(report.id)?.reject(errorOf(report.error));
      case 'ended':
        return this.#ended.resolve(report.outcome);
      case 'failed':
        this.#opened.reject(errorOf(report.error));
        return this.#ended.reject(errorOf(report.error));
      case 'status':
        this.#status = report.status;
        return;
      case 'closed':
        return this.#closed.resolve();
    }
  }
}

function lostHost(why: string): MillraceError {
  return new MillraceError('MR_HOST_LOST', `A host of the job cannot be reached: ${why}.`);
}
