import {
  type CheckpointStore,
  generation,
  type JobGraph,
  MIN_WATERMARK,
  type Sink,
  type SinkCommitter,
} from '#engine';
import { RestoredState } from '../../engine/checkpoint/restored-state.ts';

/**
 * Bugs of the kind that an engine like this must not have, planted from outside to show that the crash test would find them:
 * `no-fence` – series sinks do not know one attempt from another;
 * `watermark-lost` – a restored attempt has its state and positions, but starts event time over;
 * `commit-first` – sinks commit before the checkpoint is published.
 */
export type PlantedBug = 'no-fence' | 'watermark-lost' | 'commit-first';

export const PLANTED_BUGS: readonly PlantedBug[] = ['no-fence', 'watermark-lost', 'commit-first'];

/** Plants the bug in this process; returns the graph to run. */
export function plant(bug: PlantedBug | null, graph: JobGraph, store: CheckpointStore): JobGraph {
  switch (bug) {
    case null:
      return graph;
    case 'no-fence':
      return withSinks(graph, withoutFence);
    case 'watermark-lost':
      loseWatermarks();
      return graph;
    case 'commit-first':
      return commitFirst(graph, store);
  }
}

/** The same graph with every sink replaced. */
export function withSinks(
  graph: JobGraph,
  change: (sink: Sink<unknown>, id: string) => Sink<unknown>,
): JobGraph {
  return {
    ...graph,
    nodes: graph.nodes.map((node) =>
      node.kind === 'sink' ? { ...node, sink: change(node.sink, node.id) } : node,
    ),
  };
}

function withoutFence(sink: Sink<unknown>): Sink<unknown> {
  if (sink.guarantee !== 'idempotent') return sink;
  return { ...sink, openWriter: (context) => sink.openWriter({ ...context, generation: generation(1) }) };
}

function loseWatermarks(): void {
  const { prototype } = RestoredState;
  const parts = Reflect.get(prototype, 'parts') as RestoredState['parts'];
  const items = Reflect.get(prototype, 'items') as RestoredState['items'];
  prototype.parts = function (this: RestoredState, ...args: Parameters<RestoredState['parts']>) {
    return parts.apply(this, args).map((part) => ({ ...part, watermark: MIN_WATERMARK }));
  };
  prototype.items = function (this: RestoredState, operator: string) {
    const clock = { watermark: MIN_WATERMARK, idle: false, producers: [] };
    return items.call(this, operator).map((item) => ({ ...(item as object), clock }));
  };
}

function commitFirst(graph: JobGraph, store: CheckpointStore): JobGraph {
  const committers = new Map<string, SinkCommitter>();
  const publish = store.publish.bind(store);
  Object.assign(store, {
    publish: async (...args: Parameters<CheckpointStore['publish']>) => {
      const [, manifest] = args;
      for (const { operator, seq, committables } of manifest.sinks) {
        if (committables.length > 0)
          await committers.get(operator)?.commit({ seq, committables, checkpoint: manifest.id });
      }
      return publish(...args);
    },
  });
  return withSinks(graph, (sink, id) => {
    const { openCommitter } = sink;
    if (openCommitter === undefined) return sink;
    return {
      ...sink,
      async openCommitter(context) {
        const committer = await openCommitter(context);
        committers.set(id, committer);
        return committer;
      },
    };
  });
}
