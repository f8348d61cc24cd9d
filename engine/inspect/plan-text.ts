import type { Manifest } from '../checkpoint/manifest.ts';
import type { Change, DeployPlan, OperatorPlan } from './plan-deploy.ts';

const MARKS: Readonly<Record<OperatorPlan['status'], string>> = {
  matched: '=',
  new: '+',
  orphaned: '!',
  dropped: '-',
  incompatible: '!',
  gone: '-',
};

/** A plan for people: one line per operator and topic, the verdict last. `!` marks what is refused. */
export function planText(
  job: string,
  { job: of, id, kind }: Manifest,
  plan: Omit<DeployPlan, 'text'>,
): string {
  const lines = [`Job '${job}' from ${kind} ${id} of '${of}'`];
  for (const operator of plan.operators) {
    const bytes = operator.bytes === 0 ? '' : `, ${operator.bytes} bytes`;
    lines.push(
      `  ${MARKS[operator.status]} ${operator.id} (${operator.kind}): ${operator.status}${bytes}${because(operator.reason)}`,
    );
  }
  for (const { topic, status, reason } of plan.topics)
    lines.push(`  ${TOPIC_MARKS[status]} topic ${topic}: ${status}${because(reason)}`);
  lines.push(
    ...changed('parallelism', plan.parallelism, ' '),
    ...changed('max parallelism', plan.maxParallelism, '!'),
  );
  if (plan.maxParallelism.from !== plan.maxParallelism.to)
    lines.push('    max parallelism cannot change: set it back, or start the job under another name');
  if (!plan.isRehearsed) lines.push('  No operator has been asked about its state.');
  lines.push(plan.verdict === 'ok' ? 'Verdict: ok' : 'Verdict: refused');
  return `${lines.join('\n')}\n`;
}

const TOPIC_MARKS = { kept: '=', new: '+', left: '-' } as const;

function because(reason: string | null): string {
  return reason === null ? '' : `: ${reason}`;
}

function changed(what: string, { from, to }: Change<number>, mark: string): readonly string[] {
  return from === to ? [] : [`  ${mark} ${what} ${from} → ${to}`];
}
