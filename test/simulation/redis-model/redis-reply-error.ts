/** The server's refusal; `message` is its text, whose first word is the code. Named as ioredis names it, for `redisFailure`. */
export class RedisReplyError extends Error {
  override readonly name = 'ReplyError';
}

export const syntaxError = (): RedisReplyError => new RedisReplyError('ERR syntax error');

/** Asked for what the model leaves out: never an answer of the server, always a test that goes beyond the model. */
export class RedisModelGap extends Error {
  override readonly name = 'RedisModelGap';

  constructor(what: string) {
    super(`The model of Redis has no ${what}: add it there, with a case in its contract.`);
  }
}
