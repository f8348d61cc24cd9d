import { createHash } from 'node:crypto';
import { NOT_INTEGER, type RedisCase, refused } from './case.ts';

const OOM = "OOM command not allowed when used memory > 'maxmemory'.";
const PLAIN = "return redis.call('SET', KEYS[1], 'x')";
const READS = "return redis.call('GET', KEYS[1])";
const HEADER = `#!lua\n${READS}`;
const ALLOWED = `#!lua flags=allow-oom\n${PLAIN}`;
const FREES_FIRST = "redis.call('DEL', KEYS[1]) return redis.call('SET', KEYS[1], 'x')";
const sha = (body: string) => createHash('sha1').update(body).digest('hex');

export const SERVER_CASES: readonly RedisCase[] = [
  {
    title: 'the server tells of itself',
    steps: [
      ['PING', 'PONG'],
      ['PING hello', 'hello'],
      ['ECHO hello', 'hello'],
      ['CONFIG GET appendonly', ['appendonly', 'no']],
      ['CONFIG GET appendfsync', ['appendfsync', 'everysec']],
      ['CONFIG GET maxmemory', ['maxmemory', '0']],
      ['CONFIG GET maxmemory-policy', ['maxmemory-policy', 'noeviction']],
      ['CONFIG GET nothing', []],
      ['COMMAND INFO NOSUCH', [null]],
      ['WAIT 0 0', 0],
      ['WAIT 1 1', 0],
      ['WAIT one 1', NOT_INTEGER],
      ['NOSUCH a b', refused("ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' ")],
    ],
  },
  {
    title: 'over maxmemory what would grow is refused, and what frees or is allowed to is not',
    steps: [
      ['SET k v', 'OK'],
      ['HSET h f v', 1],
      ['RPUSH l a b', 2],
      ['XADD s 1-1 f v', '1-1'],
      ['CONFIG SET maxmemory 1', 'OK'],
      ['SET k w', refused(OOM)],
      ['HSET h f w', refused(OOM)],
      ['HINCRBY h n 1', refused(OOM)],
      ['RPUSH l c', refused(OOM)],
      ['ZADD z 1 a', refused(OOM)],
      ['XADD s 2-1 f v', refused(OOM)],
      ['GET k', 'v'],
      ['LPOP l', 'a'],
      ['HDEL h f', 1],
      ['XTRIM s MINID 2', 1],
      ['PEXPIRE k 100000', 1],
      ['UNLINK l', 1],
      [['EVAL', PLAIN, 1, 'k'], refused(`${OOM} script: ${sha(PLAIN)}, on @user_script:1.`)],
      [['EVAL', READS, 1, 'k'], 'v'],
      [['EVAL', HEADER, 1, 'k'], refused(OOM)],
      [['EVAL', ALLOWED, 1, 'k'], 'OK'],
      [['EVAL', FREES_FIRST, 1, 'k'], 'OK'],
      ['CONFIG SET maxmemory 0', 'OK'],
      ['SET k w', 'OK'],
    ],
  },
];
