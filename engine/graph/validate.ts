import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { checkParallelism } from '../key/key-group.ts';
import { inputsOf } from './execution-graph.ts';
import type { GraphNode, JobGraph, NodeInput } from './job-graph.ts';

/** Operator id of the dead-letter sink that every job has. */
export const DEAD_LETTER_ID = 'dead-letter';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/**
 * Refuses what cannot run, with every fault in one message.
 * @throws MR_GRAPH_INVALID
 */
export function validateGraph(graph: JobGraph): void {
  const faults = [...nameFaults(graph), ...inputFaults(graph), ...optionFaults(graph)];
  if (!graph.nodes.some((node) => node.kind === 'source'))
    faults.push('it has no source: start with job.source(id, …)');
  if (!graph.nodes.some((node) => node.kind === 'sink'))
    faults.push('it has no sink: end a stream with .to(id, sink)');
  if (faults.length > 0) {
    throw new MillraceError('MR_GRAPH_INVALID', `Job '${graph.name}' cannot run: ${faults.join('; ')}.`, {
      details: { job: graph.name },
    });
  }
  checkParallelism(graph.options.parallelism, graph.options.maxParallelism);
}

function nameFaults(graph: JobGraph): string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  for (const [what, name] of [['job', graph.name] as const, ...graph.nodes.flatMap(namedNode)]) {
    if (!NAME.test(name) || name.length > LIMITS.nameLengthMax) {
      faults.push(
        `the ${what} id '${name}' must be 1 to ${LIMITS.nameLengthMax} letters, digits, '.', '_' or '-', starting with a letter or digit`,
      );
    }
    if (what === 'job') continue;
    if (seen.has(name))
      faults.push(`the id '${name}' is used twice; ids name state and must be unique in a job`);
    if (name === DEAD_LETTER_ID) faults.push(`the id '${name}' is reserved for the job's dead letters`);
    seen.add(name);
  }
  return faults;
}

function inputFaults(graph: JobGraph): string[] {
  return graph.nodes.flatMap((node, index) =>
    inputsOf(node).flatMap((input) => inputFault(graph, node, index, input)),
  );
}

function inputFault(graph: JobGraph, node: GraphNode, index: number, input: NodeInput): string[] {
  const from = graph.nodes[input.node];
  if (from === undefined || input.node >= index)
    return [`${describe(node)} takes its input from a later or unknown node`];
  if (from.kind === 'sink') return [`${describe(node)} takes its input from the sink '${from.id}'`];
  const { side } = input;
  if (side !== null && (from.kind !== 'operator' || !from.operator.sides.includes(side))) {
    return [
      `${describe(node)} takes the side output '${side}' of ${describe(from)}, which has none of that name`,
    ];
  }
  return [];
}

function optionFaults({ options }: JobGraph): string[] {
  const faults: string[] = [];
  if (options.checkpointIntervalMs < 100)
    faults.push(`the checkpoint interval ${options.checkpointIntervalMs} ms is below 100 ms`);
  if (!Number.isInteger(options.checkpointsRetained) || options.checkpointsRetained < 1)
    faults.push('at least one checkpoint must be retained');
  if (!Number.isSafeInteger(options.checkpointFailuresTolerable) || options.checkpointFailuresTolerable < 0)
    faults.push(
      `checkpointFailuresTolerable is ${options.checkpointFailuresTolerable}, it must be 0 or more`,
    );
  if (!(options.poisonAfter >= 1)) faults.push(`poisonAfter is ${options.poisonAfter}, it must be 1 or more`);
  if (options.state.kind === 'disk') {
    const { folder, hotKeysMax } = options.state;
    if (folder === '') faults.push('the folder of its state on disk has no name');
    if (!Number.isSafeInteger(hotKeysMax) || hotKeysMax < 1)
      faults.push(`hotKeysMax of its state is ${hotKeysMax}, it must be 1 or more`);
  }
  return faults;
}

/** Operators that keep nothing need no id of their author's. */
function isGenerated(node: GraphNode, index: number): boolean {
  return node.kind === 'operator' && node.id === `${node.operator.kind}~${index}`;
}

function namedNode(node: GraphNode, index: number): (readonly [string, string])[] {
  return node.kind === 'stage' || isGenerated(node, index) ? [] : [[node.kind, node.id]];
}

function describe(node: GraphNode): string {
  return node.kind === 'stage' ? `a ${node.stage.kind} step` : `${node.kind} '${node.id}'`;
}
