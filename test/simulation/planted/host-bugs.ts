import { MIN_WATERMARK } from '#engine';
import { RestoredState } from '../../../engine/checkpoint/restored-state.ts';
import { SnapshotWriter } from '../../../engine/checkpoint/snapshot-writer.ts';
import { HostChannels } from '../../../engine/host/host-channels.ts';
import type { Element, ElementReceiver } from '../../../engine/runtime/channel.ts';
import { PartitionClock } from '../../../engine/time/partition-clock.ts';
import { KeyTimers } from '../../../operators/state/key-timers.ts';
import { type PlantedBug, replaceMethod } from './planted-bug.ts';

export const unalignedBarrier: PlantedBug = {
  name: 'barrier-not-blocking',
  what: 'a channel goes on behind its barrier while others have not delivered theirs',
  plant: () =>
    replaceMethod(
      HostChannels.prototype,
      'receiver',
      (original) =>
        function (this: HostChannels, ...args) {
          return overtaking(original.apply(this, args));
        },
    ),
};

/** Has up to two elements pass each barrier. */
function overtaking(receiver: ElementReceiver): ElementReceiver {
  const held: Element[] = [];
  let passing = 0;
  return {
    shift() {
      if (held.length > 0 && passing === 0) return held.shift() as Element;
      const element = receiver.shift();
      if (element?.kind === 'barrier' && held.length === 0) {
        held.push(element);
        passing = 2;
        return this.shift();
      }
      if (held.length === 0) return element;
      if (element === null || element.kind === 'records' || element.kind === 'watermark') {
        passing = element === null ? 0 : passing - 1;
        return element ?? (held.shift() as Element);
      }
      held.push(element);
      passing = 0;
      return held.shift() as Element;
    },
  };
}

export const lostDirtyGroup: PlantedBug = {
  name: 'lost-dirty-group',
  what: 'a snapshot refers to the bytes of an earlier one for key groups that have changed',
  plant: () =>
    replaceMethod(
      SnapshotWriter.prototype,
      'write',
      (original) =>
        function (this: SnapshotWriter, checkpoint, snapshot) {
          const { dirty } = snapshot.state;
          if (dirty === undefined || dirty.size === 0) return original.call(this, checkpoint, snapshot);
          const state = { ...snapshot.state, dirty: new Set<number>() };
          return original.call(this, checkpoint, { ...snapshot, state });
        },
    ),
};

export const watermarkRegress: PlantedBug = {
  name: 'watermark-regress',
  what: 'event time begins anew after a restore',
  plant() {
    const undo = [
      replaceMethod(
        RestoredState.prototype,
        'parts',
        (original) =>
          function (this: RestoredState, ...args) {
            return original.apply(this, args).map((part) => ({ ...part, watermark: MIN_WATERMARK }));
          },
      ),
      replaceMethod(PartitionClock.prototype, 'restore', () => () => undefined),
    ];
    return () => {
      for (const back of undo) back();
    };
  },
};

export const lostTimer: PlantedBug = {
  name: 'lost-timer',
  what: 'a snapshot leaves out the timers of a process operator, so that a restore has none',
  plant: () => replaceMethod(KeyTimers.prototype, 'forEachOf', () => () => undefined),
};
