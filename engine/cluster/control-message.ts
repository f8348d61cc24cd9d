import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { objCellBytes, packObjCell, unpackObjCell } from '../wire/obj-cell.ts';

/** A message as its receiver gets it. */
export interface ControlMessage {
  readonly job: string;
  readonly generation: number;
  /** Who sent it: a worker's id, or the job for its coordinator. */
  readonly sender: string;
  /** Plain data: what an `obj` cell may hold (bytes come as Uint8Array). */
  readonly body: unknown;
}

/** The msgpack bytes of a message. @throws MR_CONTROL_TOO_LARGE above LIMITS.controlMessageBytesMax, or when it is not plain data */
export function encodeControl(body: unknown, to: string): Buffer {
  const estimate = objCellBytes(body);
  if (typeof estimate === 'string') {
    throw new MillraceError('MR_CONTROL_TOO_LARGE', `A message to '${to}' cannot be sent: ${estimate}.`);
  }
  const packed = estimate > LIMITS.controlMessageBytesMax ? null : packObjCell(body);
  if (packed !== null) return Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  throw new MillraceError(
    'MR_CONTROL_TOO_LARGE',
    `A message to '${to}' has more than ${LIMITS.controlMessageBytesMax} bytes. Run the job with fewer slots per worker or fewer key groups.`,
    { details: { to } },
  );
}

/** @throws MR_CONTROL_FAILED when the bytes are not a message */
export function decodeControl(bytes: Buffer, from: string): unknown {
  const unpacked = unpackObjCell(bytes);
  if (unpacked !== undefined) return unpacked.value;
  throw new MillraceError(
    'MR_CONTROL_FAILED',
    `A message from '${from}' cannot be read. Check that coordinator and worker run the same release.`,
  );
}
