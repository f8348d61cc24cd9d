import type { ErrorRecord, HostCommand, HostReport } from '../host/host-messages.ts';

/** What a coordinator tells a worker; generation and job are the message's own. */
export type WorkerCommand =
  /** Ends what older generations of the job run there. */
  | { readonly kind: 'make-room' }
  | { readonly kind: 'start'; readonly start: HostsStart }
  | { readonly kind: 'host'; readonly host: number; readonly command: HostCommand }
  /** The attempt is over. */
  | { readonly kind: 'release' };

/** What a worker tells a coordinator. */
export type WorkerReport =
  | { readonly kind: 'host'; readonly host: number; readonly report: HostReport }
  /** The host has ended by itself. */
  | { readonly kind: 'lost'; readonly host: number; readonly error: ErrorRecord };

/** Hosts that one worker is to run, each in a thread of its own. */
export interface HostsStart {
  readonly job: string;
  readonly generation: number;
  /** SHA-256 of the job's code; null for a job that the worker knows by name. */
  readonly bundle: string | null;
  readonly hosts: readonly number[];
}
