import { parseArgs, type ParseArgsConfig } from 'node:util';
import { errorText, MillraceError, validName } from '#wire';

/** One command of the program. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  readonly help: string;
  /** Gives the exit code. @throws MR_… what is shown to the user */
  readonly run: (args: readonly string[]) => Promise<number>;
}

/** Which Redis, and what of it. */
export interface Connection {
  readonly redisUrl: string;
  readonly namespace: string;
  /** Where large state lies; see HostSettings. */
  readonly blobs?: string;
  /** For the modules of jobs. */
  readonly variables: Readonly<Record<string, string>>;
}

export const CONNECTION_OPTIONS = {
  redis: { type: 'string' },
  namespace: { type: 'string' },
  blobs: { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

export const CONNECTION_HELP = `
  --redis <url>        redis://…, rediss://…, redis+sentinel://…, redis+cluster://… or the path of a socket; default: REDIS_URL
  --namespace <name>   sets apart what shares one Redis; default: MILLRACE_NAMESPACE, or 'default'
  --blobs <place>      large state lies there instead of in Redis: a folder that all reach, or s3://bucket/prefix?endpoint=…;
                       the same for all workers and commands; default: MILLRACE_BLOBS, or Redis
  --help               this text
`;

/** @throws MR_CONFIG_INVALID without a Redis, or for a namespace that no key may have */
export function connectionOf({
  redis = process.env['REDIS_URL'] ?? '',
  namespace = process.env['MILLRACE_NAMESPACE'] ?? 'default',
  blobs = process.env['MILLRACE_BLOBS'],
}: {
  readonly redis?: string | undefined;
  readonly namespace?: string | undefined;
  readonly blobs?: string | undefined;
}): Connection {
  if (redis === '')
    throw new MillraceError('MR_CONFIG_INVALID', 'No Redis is named. Give --redis <url>, or set REDIS_URL.');
  const variables = Object.entries(process.env).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return {
    redisUrl: redis,
    namespace: validName(namespace, 'namespace'),
    ...(blobs === undefined ? {} : { blobs }),
    variables: Object.fromEntries(variables),
  };
}

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * Arguments of a command, with exactly so many positional ones.
 * @throws MR_CONFIG_INVALID for anything else
 */
export function readArguments<const O extends Options>(
  args: readonly string[],
  positionals: number,
  options: O,
) {
  const parsed = parse(args, options);
  const given = parsed.positionals.length;
  if (given === positionals) return parsed;
  const what =
    given > positionals ? `'${parsed.positionals[positionals]}' is too much` : 'something is missing';
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `The command takes ${positionals} arguments: ${what}. See --help.`,
  );
}

function parse<const O extends Options>(args: readonly string[], options: O) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new MillraceError('MR_CONFIG_INVALID', `${errorText(error)} See --help.`, { cause: error });
  }
}
