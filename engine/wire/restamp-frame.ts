import { type FrameHeader, readEnvelope, sequenceRefusal, writeEnvelope } from './envelope.ts';
import { MillraceError } from '../base/errors.ts';

/**
 * The same records under another epoch and predecessor: for a producer that stores frames before it can know either.
 * Copies the frame; its payload is neither unpacked nor checked.
 * @throws MR_FRAME_* as {@link readEnvelope}; MR_CONFIG_INVALID for a stamp that cannot be
 */
export function restampFrame(frame: Uint8Array, stamp: Pick<FrameHeader, 'epoch' | 'prev'>): Uint8Array {
  const envelope = { ...readEnvelope(frame), epoch: stamp.epoch, prev: stamp.prev };
  const why = sequenceRefusal(envelope);
  if (why !== null)
    throw new MillraceError('MR_CONFIG_INVALID', `Frame of producer '${envelope.producer}': ${why}.`);
  const copy = new Uint8Array(frame);
  writeEnvelope(copy, envelope);
  return copy;
}
