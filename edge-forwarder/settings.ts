import { parseArgs } from 'node:util';
import { durationMs, type Duration, MillraceError } from '#wire';

export const HELP = `Usage: node edge-forwarder/main.ts [options] stdin|fleet

Takes records, keeps them in an outbox on disk, and delivers each exactly once to a topic of the partition log.

Where to
  --redis <url|socket>     redis://…, rediss://… or the path of a unix socket   (required)
  --namespace <name>       default: default
  --topic <name>           required
  --producer <name>        name of this forwarder, unique per outbox             (required)
  --partitions <n>         partitions of the topic, to start before the log was ever reached
Outbox
  --outbox <dir>           default: ./.millrace/edge
  --outbox-bytes <n>       cap of the file, default 1073741824
  --when-full <policy>     block | drop-oldest (drops are counted), default block
  --grace <duration>       how long delivered frames are kept, default 5m
  --grace-bytes <n>        … and how many bytes of them, default a quarter of the cap
  --profile <name>         safe (commit every 50ms) | balanced (200ms) | flash (1s), default balanced
Records
  --schema <module#export | file.json>   required for stdin; fleet has its own
  --key <fields>           fields that choose the partition, comma-separated, default tenant,deviceId for fleet
  --key-groups <n>         key groups that they are spread over, default 128; a job of as many reads without an exchange
  --frame-records <n>      default 1000
  --frame-bytes <n>        before compression, default 65536
  --compression <name>     zstd | none, default zstd
  --watermark <duration>   event times are at most this much out of order; frames then carry a watermark
  --rejects-bytes <n>      bound of rejects.jsonl beside the outbox, default 16777216
Run
  --no-wait                end with the input; what is not delivered stays for the next run
  --progress               a line per second on stderr (the default on a terminal)
  --stats-file <file>      the summary goes there instead of stdout
  --metrics-file <file>    rewritten every second in Prometheus' text form
  --help
stdin: JSON lines
  --line-bytes <n>         longer lines are rejected, default 262144
  --resume                 the same lines are fed again: skip those that are stored
fleet: simulated machines, the same records for the same settings
  --devices <n>            default 1000      --tenants <n>   default 4     --sites <n>  per tenant, default 5
  --rate <n>               readings per second over all, default 1000
  --seed <n>               default 1
  --start <epoch ms>       event time of the first reading, default: now, kept over restarts
  --duration <duration>    default: for ever
  --pace <name>            realtime | asFastAsPossible, default realtime
  --out-of-order <duration>  default 1s      --late-share <0…1>  default 0   --late <duration>  default 60s
  --late-from <duration>     late readings are late by this much to --late, default 0
  --fault-share <0…1>      default 0.02
`;

const STRINGS = [
  'redis',
  'namespace',
  'topic',
  'producer',
  'partitions',
  'outbox',
  'outbox-bytes',
  'when-full',
  'grace',
  'grace-bytes',
  'profile',
  'schema',
  'key',
  'key-groups',
  'frame-records',
  'frame-bytes',
  'compression',
  'watermark',
  'rejects-bytes',
  'stats-file',
  'metrics-file',
  'line-bytes',
  'devices',
  'tenants',
  'sites',
  'rate',
  'seed',
  'start',
  'duration',
  'pace',
  'out-of-order',
  'late-share',
  'late-from',
  'late',
  'fault-share',
] as const;
const FLAGS = ['no-wait', 'progress', 'resume', 'help'] as const;

type Text = Partial<Record<(typeof STRINGS)[number], string>>;

/** The command line, checked name by name; values are read on use. */
export interface Settings {
  readonly input: 'stdin' | 'fleet' | null;
  readonly flag: (name: (typeof FLAGS)[number]) => boolean;
  readonly text: (name: (typeof STRINGS)[number]) => string | undefined;
  readonly required: (name: (typeof STRINGS)[number]) => string;
  /** A number from `min` to `max`; whole unless `max` ≤ 1. */
  readonly number: (name: (typeof STRINGS)[number], fallback: number, min: number, max: number) => number;
  readonly duration: (name: (typeof STRINGS)[number], fallback: Duration) => number;
  readonly choice: <const T extends string>(name: (typeof STRINGS)[number], choices: readonly T[]) => T;
}

/** @throws MR_CONFIG_INVALID */
export function parseSettings(args: readonly string[]): Settings {
  const { values, positionals } = parse(args);
  const text = values as Text;
  const [input = null] = positionals;
  if (positionals.length > 1 || (input !== null && input !== 'stdin' && input !== 'fleet')) {
    throw invalid(`The input must be stdin or fleet, got '${positionals.join(' ')}'.`);
  }
  return {
    input,
    flag: (name) => (values as Partial<Record<string, boolean>>)[name] === true,
    text: (name) => text[name],
    required(name) {
      const value = text[name];
      if (value === undefined || value === '') throw invalid(`--${name} is required.`);
      return value;
    },
    number(name, fallback, min, max) {
      const value = Number(text[name] ?? fallback);
      const fits = value >= min && value <= max && (max <= 1 || Number.isSafeInteger(value));
      if (fits) return value;
      throw invalid(
        `--${name} must be a ${max <= 1 ? '' : 'whole '}number from ${min} to ${max}, got '${text[name]}'.`,
      );
    },
    duration: (name, fallback) => durationMs((text[name] as Duration | undefined) ?? fallback, `--${name}`),
    choice(name, choices) {
      const value = text[name] ?? choices[0];
      const found = choices.find((choice) => choice === value);
      if (found !== undefined) return found;
      throw invalid(`--${name} must be one of ${choices.join(', ')}, got '${value}'.`);
    },
  };
}

function parse(args: readonly string[]) {
  const strings = STRINGS.map((name) => [name, { type: 'string' }] as const);
  const flags = FLAGS.map((name) => [name, { type: 'boolean' }] as const);
  try {
    return parseArgs({
      args: [...args],
      options: Object.fromEntries([...strings, ...flags]),
      allowPositionals: true,
    });
  } catch (cause) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `${cause instanceof Error ? cause.message : String(cause)} See --help.`,
      { cause },
    );
  }
}

function invalid(message: string): MillraceError {
  return new MillraceError('MR_CONFIG_INVALID', `${message} See --help.`);
}
