import type { CheckpointId } from '../base/brand.ts';
import { MillraceError } from '../base/errors.ts';
import type { CheckpointStore } from '../checkpoint/checkpoint-store.ts';
import type { GroupRange, Manifest, SnapshotRef } from '../checkpoint/manifest.ts';
import { decodeGroup, decodeHead, type SnapshotHead } from '../checkpoint/snapshot-codec.ts';
import type { JobGraph, OperatorNode } from '../graph/job-graph.ts';
import { keySelectorOf } from '../graph/key-fields.ts';
import { encodeKey, hashKey } from '../key/key.ts';
import { keyGroupOf } from '../key/key-group.ts';
import type { DescribeGroup, KeyedStateView } from '../runtime/operator.ts';
import type { KeySelector } from '../state/key-space.ts';
import { MIN_WATERMARK } from '../time/watermark.ts';
import { RangeReader } from './range-reader.ts';
import { beginsWith, keyOf, type ShownKey, shownKey } from './shown-key.ts';
import { joinedViews, type StoredGroupView, viewGroup } from './stored-group.ts';

export interface InspectOptions {
  /** The job's plan: names the fields of keys, and tells what is stored. Not necessarily the version that took the checkpoint. */
  readonly graph?: JobGraph;
  /** By an operator's kind, for operators that `graph` does not have. */
  readonly describers?: ReadonlyMap<string, DescribeGroup>;
}

/** One operator, source or sink of the job that took a checkpoint. */
export interface InspectedOperator {
  readonly id: string;
  readonly kind: string;
  readonly stateful: boolean;
  /** As stored: compressed. */
  readonly bytes: number;
  /** Null when nobody has counted: {@link ListOptions}. */
  readonly keys: number | null;
  /** Key groups that have a key. */
  readonly keyGroups: number;
  /** Subtasks that wrote a snapshot. */
  readonly subtasks: number;
  /** Lowest of its subtasks that have a key, epoch ms; null where there is none. */
  readonly watermark: number | null;
  readonly idle: boolean;
  /** State without a key: positions of sources, inputs in flight. */
  readonly items: number;
  /** State that every subtask has whole, as stored. */
  readonly broadcast?: unknown;
}

export interface ListOptions {
  /** Reads all state for it, group by group. Default false. */
  readonly countKeys?: boolean;
}

export interface KeysOptions {
  /** Default: all. */
  readonly limit?: number;
  /** {@link KeyEntry.cursor} of the last one seen. */
  readonly after?: string;
  /** Only keys whose (first) part, as text, begins so. */
  readonly prefix?: string;
}

export interface KeyEntry {
  readonly key: ShownKey;
  readonly group: number;
  /** Where to go on: good for this checkpoint alone. */
  readonly cursor: string;
}

/** All that a checkpoint holds of one key of one operator. */
export interface KeyState {
  readonly key: ShownKey;
  readonly group: number;
  /** As the operator describes it, or as stored. */
  readonly state: KeyedStateView;
}

/**
 * One retained checkpoint, to look at: no job is started, nothing is written. Memory is bounded by the largest key group.
 *
 * IC1 keys come by rising key group, within one in the order stored; each once.
 * IC2 `get` reads the key's group and nothing else.
 */
export interface InspectedCheckpoint {
  readonly manifest: Manifest;
  readonly graph: JobGraph | null;
  /** Every one of the job that took the checkpoint, in its order. Reads their heads. @throws MR_CHECKPOINT_CORRUPT, MR_STATE_INCOMPATIBLE */
  readonly listOperators: (options?: ListOptions) => Promise<readonly InspectedOperator[]>;
  /** @throws MR_CONFIG_INVALID for an unknown operator or cursor; MR_CHECKPOINT_CORRUPT, MR_STATE_INCOMPATIBLE */
  readonly keys: (operator: string, options?: KeysOptions) => AsyncGenerator<KeyEntry, void>;
  /** @param key as shown or canonical. Null when nothing is kept of it. @throws MR_KEY_INVALID and what `keys` throws */
  readonly get: (operator: string, key: unknown) => Promise<KeyState | null>;
  /** What is stored of one key group, uncompressed; one part per subtask that has one. For comparisons. */
  readonly stored: (operator: string, group: number) => Promise<readonly Uint8Array[]>;
  /** The same made ready to look at. @throws MR_CHECKPOINT_CORRUPT, MR_STATE_INCOMPATIBLE */
  readonly view: (operator: string, stored: readonly Uint8Array[]) => readonly StoredGroupView[];
  /** A key as users see it. */
  readonly show: (operator: string, canonical: Uint8Array) => ShownKey;
  readonly head: (snapshot: SnapshotRef) => Promise<SnapshotHead>;
  /** Blobs read so far. */
  readonly reads: () => { readonly blobs: number; readonly bytes: number };
}

/**
 * Opens a retained checkpoint or savepoint. It stays readable while it is retained.
 * @throws MR_CONFIG_INVALID when it is not
 */
export async function openCheckpoint(
  store: CheckpointStore,
  job: string,
  id: CheckpointId,
  options: InspectOptions = {},
): Promise<InspectedCheckpoint> {
  const manifest = await store.manifest(job, id);
  if (manifest !== null) return new Inspection(store, manifest, options);
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `Job '${job}' has no checkpoint or savepoint ${id}. List what it retains, and choose one of these.`,
  );
}

class Inspection implements InspectedCheckpoint {
  readonly manifest: Manifest;
  readonly graph: JobGraph | null;
  readonly #reader: RangeReader;
  readonly #describers: ReadonlyMap<string, DescribeGroup>;
  readonly #ranges = new Map<string, ReadonlyMap<number, readonly GroupRange[]>>();

  constructor(store: CheckpointStore, manifest: Manifest, { graph, describers }: InspectOptions) {
    this.manifest = manifest;
    this.graph = graph ?? null;
    this.#reader = new RangeReader(store, manifest.job);
    this.#describers = describers ?? new Map();
  }

  async listOperators({ countKeys = false }: ListOptions = {}): Promise<readonly InspectedOperator[]> {
    const list: InspectedOperator[] = [];
    for (const { id, kind, stateful } of this.manifest.operators) {
      const snapshots = snapshotsOf(this.manifest, id);
      const heads = await Promise.all(snapshots.map((snapshot) => this.head(snapshot)));
      // Sources keep event time by partition, among their items.
      const ofKeys = heads.filter((_, i) => (snapshots[i] as SnapshotRef).groups.length > 0);
      const watermark = Math.min(...ofKeys.map((head) => head.watermark));
      const broadcast = heads.find((head) => head.broadcast !== undefined)?.broadcast;
      list.push({
        id,
        kind,
        stateful,
        bytes: snapshots.reduce((sum, snapshot) => sum + storedBytes(snapshot), 0),
        keys: countKeys ? await this.#countKeys(id) : null,
        keyGroups: this.#groups(id).size,
        subtasks: snapshots.length,
        watermark: Number.isFinite(watermark) && watermark > MIN_WATERMARK ? watermark : null,
        idle: heads.length > 0 && heads.every((head) => head.idle),
        items: heads.reduce((sum, { items }) => sum + items.length, 0),
        ...(broadcast === undefined ? {} : { broadcast }),
      });
    }
    return list;
  }

  async *keys(operator: string, options: KeysOptions = {}): AsyncGenerator<KeyEntry, void> {
    this.#known(operator);
    const { prefix } = options;
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    const [afterGroup, afterNumber] = parseCursor(options.after);
    for (const group of this.#groups(operator).keys()) {
      if (left <= 0) return;
      if (group < afterGroup) continue;
      let number = -1;
      for (const part of await this.#group(operator, group)) {
        for (let i = 0; i < part.keyCount; i++) {
          number++;
          if (group === afterGroup && number <= afterNumber) continue;
          const canonical = part.keyAt(i);
          if (prefix !== undefined && !beginsWith(canonical, prefix)) continue;
          yield { key: this.show(operator, canonical), group, cursor: `${group}.${number}` };
          if (--left <= 0) return;
        }
      }
    }
  }

  async get(operator: string, key: unknown): Promise<KeyState | null> {
    this.#known(operator);
    const wanted = keyOf(key, this.#selector(operator));
    const group = keyGroupOf(hashKey(wanted), this.manifest.maxParallelism);
    const canonical = encodeKey(wanted);
    const views = (await this.#group(operator, group)).flatMap((part) => {
      const number = part.find(canonical);
      return number < 0 ? [] : [part.describe(number)];
    });
    const state = joinedViews(views);
    return state === null ? null : { key: this.show(operator, canonical), group, state };
  }

  async stored(operator: string, group: number): Promise<readonly Uint8Array[]> {
    const parts: Uint8Array[] = [];
    for (const range of this.#groups(operator).get(group) ?? []) parts.push(await this.#reader.read(range));
    return parts;
  }

  view(operator: string, stored: readonly Uint8Array[]): readonly StoredGroupView[] {
    const describe = this.#describer(operator);
    return stored.map((bytes) => viewGroup(decodeGroup(bytes), describe));
  }

  show(operator: string, canonical: Uint8Array): ShownKey {
    return shownKey(canonical, this.#selector(operator));
  }

  async head(snapshot: SnapshotRef): Promise<SnapshotHead> {
    return decodeHead(await this.#reader.read(snapshot.head));
  }

  reads(): { readonly blobs: number; readonly bytes: number } {
    return { blobs: this.#reader.reads, bytes: this.#reader.readBytes };
  }

  async #group(operator: string, group: number): Promise<readonly StoredGroupView[]> {
    return this.view(operator, await this.stored(operator, group));
  }

  async #countKeys(operator: string): Promise<number> {
    let count = 0;
    for (const group of this.#groups(operator).keys())
      for (const { keyCount } of await this.#group(operator, group)) count += keyCount;
    return count;
  }

  #groups(operator: string): ReadonlyMap<number, readonly GroupRange[]> {
    const known = this.#ranges.get(operator) ?? groupsOf(this.manifest, operator);
    this.#ranges.set(operator, known);
    return known;
  }

  #node(operator: string): OperatorNode | null {
    const node = this.graph?.nodes.find((it) => it.kind === 'operator' && it.id === operator);
    return (node as OperatorNode | undefined) ?? null;
  }

  #selector(operator: string): KeySelector | null {
    const node = this.#node(operator);
    return node === null ? null : keySelectorOf(node);
  }

  /** The graph's own when it is of the kind that wrote the state. */
  #describer(operator: string): DescribeGroup | null {
    const definition = this.#node(operator)?.operator;
    const { kind } = this.#known(operator);
    if (definition?.kind === kind && definition.describeGroup !== undefined) return definition.describeGroup;
    return this.#describers.get(kind) ?? null;
  }

  #known(operator: string): Manifest['operators'][number] {
    const known = this.manifest.operators.find(({ id }) => id === operator);
    if (known !== undefined) return known;
    const stateful = this.manifest.operators.filter((it) => it.stateful).map(({ id }) => `'${id}'`);
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `Checkpoint ${this.manifest.id} of job '${this.manifest.job}' has no operator '${operator}'. With state it has ${stateful.join(', ') || 'none'}.`,
    );
  }
}

/** Its subtasks' snapshots, in their order. */
export function snapshotsOf(manifest: Manifest, operator: string): readonly SnapshotRef[] {
  return manifest.snapshots
    .filter((snapshot) => snapshot.operator === operator)
    .sort((a, b) => a.subtask - b.subtask);
}

/** Where an operator's key groups lie, numbers rising: each once, unless several subtasks have kept something of it. */
export function groupsOf(manifest: Manifest, operator: string): ReadonlyMap<number, readonly GroupRange[]> {
  const groups = new Map<number, GroupRange[]>();
  for (const snapshot of snapshotsOf(manifest, operator))
    for (const range of snapshot.groups) {
      const known = groups.get(range.group);
      if (known === undefined) groups.set(range.group, [range]);
      else known.push(range);
    }
  return new Map([...groups].sort(([a], [b]) => a - b));
}

/** Of one subtask, compressed. */
export function storedBytes({ head, groups }: SnapshotRef): number {
  return [head, ...groups].flatMap(({ pieces }) => pieces).reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Group and number of the last key seen; before all without a cursor. */
function parseCursor(cursor: string | undefined): readonly [group: number, number: number] {
  if (cursor === undefined) return [-1, -1];
  const [, group, number] = /^(\d+)\.(\d+)$/.exec(cursor) ?? [];
  if (group !== undefined && number !== undefined) return [Number(group), Number(number)];
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `'${cursor}' is no place among keys. Give the cursor of a key listed before.`,
  );
}
