import { invariant, type KeySpace, LazyGroups, type OperatorState } from '#engine';

/** The part of a snapshot that is made group by group. */
export interface SnapshotGroups extends Required<Pick<OperatorState, 'groups' | 'release'>> {}

/**
 * A snapshot's groups out of frozen state: every group that has a key now is made of its slots when it is asked for. Until the release
 * no slot gets another key (ST2).
 * @param release takes the frozen state back; called once
 */
export function snapshotGroups<Group>(
  keys: KeySpace,
  make: (slots: Int32Array) => Group,
  release: () => void,
): SnapshotGroups {
  const unpin = keys.slots.pin();
  let isReleased = false;
  return {
    groups: new LazyGroups(keys.groups(), (number) => {
      invariant(!isReleased, 'a snapshot is read before its release');
      return make(keys.slotsOfGroup(number));
    }),
    release() {
      if (isReleased) return;
      isReleased = true;
      unpin();
      release();
    },
  };
}
