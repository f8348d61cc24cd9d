import type { CheckpointStore, PartitionLog } from '#engine';
import { SinkCommitters } from '../../../engine/coordinator/sink-committers.ts';
import { type PlantedBug, replaceMethod } from './planted-bug.ts';

const unconfirmed = <Opened extends PartitionLog | CheckpointStore>(opened: Opened): Opened =>
  Object.assign(opened, { confirmDurable: () => Promise.resolve() });

export const ackBeforeDurable: PlantedBug = {
  name: 'ack-before-durable',
  what: 'writes are called durable before they are',
  log: unconfirmed,
  store: unconfirmed,
};

/** Who made the sinks' part of a manifest. */
const makers = new WeakMap<object, SinkCommitters>();

export const commitBeforePublish: PlantedBug = {
  name: 'commit-before-publish',
  what: 'output is made visible before the checkpoint that covers it is published',
  plant: () =>
    replaceMethod(
      SinkCommitters.prototype,
      'commitsOf',
      (original) =>
        function (this: SinkCommitters, ...args) {
          const commits = original.apply(this, args);
          makers.set(commits, this);
          return commits;
        },
    ),
  store(store) {
    const publish: CheckpointStore['publish'] = store.publish.bind(store);
    return Object.assign(store, {
      async publish(...[ownership, manifest, retain]: Parameters<CheckpointStore['publish']>) {
        await makers.get(manifest.sinks)?.commit(manifest);
        return publish(ownership, manifest, retain);
      },
    });
  },
};

export const trimTooFar: PlantedBug = {
  name: 'trim-past-checkpoint',
  what: 'the log lets go of what the retained checkpoints may still read',
  log: (log) => ({
    ...log,
    async registerPositions(job, generation, positions) {
      const heads = positions.map(async (position) => ({
        ...position,
        ...(await log.position(position.topic, position.partition, 'latest')),
      }));
      return log.registerPositions(job, generation, await Promise.all(heads));
    },
  }),
};

export const doubleCommit: PlantedBug = {
  name: 'double-commit',
  what: 'a restore commits once more what is committed, under a number of its own',
  ledger: (sink) => ({
    ...sink,
    async openCommitter(context) {
      const committer = await sink.openCommitter?.(context);
      if (committer === undefined) throw new Error('the ledger has a committer');
      return {
        ...committer,
        async recover(pending, restoredSeq) {
          await committer.recover(pending, restoredSeq);
          for (const request of pending) await committer.commit({ ...request, seq: request.seq + 0.5 });
        },
      };
    },
  }),
};
