import type { CheckpointId } from '../base/brand.ts';
import { type ErrorDetails, errorCode, errorText, MillraceError } from '../base/errors.ts';
import type { PackedSnapshots } from '../checkpoint/snapshot-ref-codec.ts';
import type { LowestByGroup } from '../source/watermark-alignment.ts';
import type { HostAcknowledgement, HostDeployment, HostStatus, SourceStart } from './host-protocol.ts';

/** What a coordinator tells a host that is elsewhere. */
export type HostCommand =
  | { readonly kind: 'open'; readonly deployment: HostDeployment }
  | { readonly kind: 'run' }
  | { readonly kind: 'checkpoint'; readonly id: CheckpointId }
  | { readonly kind: 'abort'; readonly id: CheckpointId }
  | { readonly kind: 'completed'; readonly id: CheckpointId }
  | { readonly kind: 'stop-sources'; readonly drain: boolean }
  | { readonly kind: 'align'; readonly lowestElsewhere: LowestByGroup }
  | { readonly kind: 'stop' }
  | { readonly kind: 'close' };

/** What it says. */
export type HostReport =
  | { readonly kind: 'opened'; readonly starts: readonly SourceStart[] }
  | { readonly kind: 'acknowledged'; readonly acknowledgement: PackedAcknowledgement }
  | { readonly kind: 'declined'; readonly id: CheckpointId; readonly error: ErrorRecord }
  | { readonly kind: 'ended'; readonly outcome: 'ended' | 'stopped' }
  | { readonly kind: 'failed'; readonly error: ErrorRecord }
  | { readonly kind: 'status'; readonly status: HostStatus }
  | { readonly kind: 'closed' };

/** An acknowledgement with its snapshots in few bytes. */
export interface PackedAcknowledgement extends Omit<HostAcknowledgement, 'snapshots'> {
  readonly snapshots: PackedSnapshots;
}

/** Carries messages both ways, in order. */
export interface HostPort<Out, In> {
  readonly post: (message: Out) => void;
  /** Call once. */
  readonly listen: (arrived: (message: In) => void) => void;
}

/** An error as plain data. */
export interface ErrorRecord {
  readonly code: string | null;
  readonly message: string;
  readonly stack: string;
  readonly details: ErrorDetails;
}

export function errorRecord(error: unknown): ErrorRecord {
  return {
    code: errorCode(error),
    message: errorText(error),
    stack: error instanceof Error ? (error.stack ?? '') : '',
    details: error instanceof MillraceError ? error.details : {},
  };
}

/** The error again, with its code; what had none becomes MR_OPERATOR_FAILED. */
export function errorOf({ code, message, stack, details }: ErrorRecord): MillraceError {
  const known = errorCode({ code }) ?? 'MR_OPERATOR_FAILED';
  const error = new MillraceError(known, message, { details });
  if (stack !== '') error.stack = stack;
  return error;
}
