import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import Type, { type Static } from 'typebox';
import { type ErrorCode, MillraceError } from '../../engine/base/errors.ts';

/** RFC 9457 problem details, with the code of the error catalogue. */
export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.String(),
    code: Type.String({ pattern: '^MR_[A-Z_]+$' }),
    instance: Type.String(),
  },
  { additionalProperties: false },
);

const TITLES: Readonly<Record<number, string>> = {
  400: 'Request not valid',
  403: 'Refused',
  404: 'Not found',
  409: 'Not possible in this state',
  413: 'Request too large',
  415: 'Media type not supported',
  429: 'Too many requests',
  500: 'Failed inside Millrace',
  503: 'A system that Millrace needs does not answer as it should',
};

const STATUS_OF_CODE: Partial<Record<ErrorCode, number>> = {
  MR_API_NOT_FOUND: 404,
  MR_API_FORBIDDEN: 403,
  MR_API_CONFLICT: 409,
  MR_API_LIMITED: 429,
};

/** Everything thrown in a route ends here. Messages of our own errors are shown, those of others are not. */
export function sendProblem(
  error: FastifyError | MillraceError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const known = error instanceof MillraceError ? error : translated(error, request);
  const status = STATUS_OF_CODE[known.code] ?? statusOf(known, error);
  if (status >= 500) request.log.error({ err: error }, known.message);
  const body: Static<typeof Problem> = {
    type: 'about:blank',
    title: TITLES[status] ?? 'Failed',
    status,
    detail: known.message,
    code: known.code,
    instance: request.url.slice(0, 512),
  };
  void reply.code(status).type('application/problem+json').serializer(JSON.stringify).send(body);
}

export function notFound(what: string): MillraceError {
  return new MillraceError('MR_API_NOT_FOUND', what);
}

function statusOf(known: MillraceError, error: FastifyError | MillraceError): number {
  if (known.domain === 'user') return clientStatus(error) ?? 400;
  return known.domain === 'external' ? 503 : 500;
}

function clientStatus(error: FastifyError | MillraceError): number | null {
  const status = 'statusCode' in error ? error.statusCode : undefined;
  return status !== undefined && status >= 400 && status < 500 ? status : null;
}

/** Errors of Fastify and its plugins, in our words. */
function translated(error: FastifyError, request: FastifyRequest): MillraceError {
  const status = clientStatus(error);
  if (status === 429) {
    return new MillraceError(
      'MR_API_LIMITED',
      `${error.message}. Wait as long as the retry-after header says.`,
    );
  }
  if (status !== null) {
    const where = `${request.method} ${request.url.slice(0, 256)}`;
    return new MillraceError('MR_API_INVALID', `${where}: ${error.message}.`, { cause: error });
  }
  const text = `${request.method} ${request.routeOptions.url ?? ''} failed. The log of the engine process has the cause.`;
  return new MillraceError('MR_INVARIANT', text, { cause: error });
}
