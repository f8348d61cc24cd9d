import {
  type ArraySource,
  checked,
  invariant,
  type KeySpace,
  LazyGroups,
  type OperatorState,
  type Steps,
} from '#engine';

/** The part of a snapshot that is made group by group. */
export interface SnapshotGroups extends Required<Pick<OperatorState, 'groups' | 'release'>> {}

/**
 * A snapshot's groups out of frozen state: every group that has a key now is made of its slots when it is asked for. Until the release
 * no slot gets another key (ST2).
 * @param release takes the frozen state back; called once
 */
export function snapshotGroups<Group>(
  keys: KeySpace,
  make: (slots: Int32Array, arrays: ArraySource) => Steps<Group>,
  release: () => void,
): SnapshotGroups {
  const unpin = keys.slots.pin();
  let isReleased = false;
  const isRead = () => invariant(!isReleased, 'a snapshot is read before its release');
  return {
    groups: LazyGroups.inSteps(keys.groups(), function* group(number, arrays) {
      isRead();
      return yield* checked(make(keys.slotsOfGroup(number, arrays), arrays), isRead);
    }),
    release() {
      if (isReleased) return;
      isReleased = true;
      unpin();
      release();
    },
  };
}
