import { createHash } from 'node:crypto';
import { NOT_INTEGER, type RedisCase, refused, WRONGTYPE } from './case.ts';

const sha = (body: string) => createHash('sha1').update(body).digest('hex');
const evaluate = (body: string, keys: readonly string[] = [], args: readonly (string | Buffer)[] = []) =>
  ['EVAL', body, keys.length, ...keys, ...args] as const;
/** What a script's own error looks like from outside. */
const failed = (text: string, body: string, line = 1) =>
  refused(`${text} script: ${sha(body)}, on @user_script:${line}.`);

const BLOCKS = "return redis.call('XREAD', 'BLOCK', 0, 'STREAMS', KEYS[1], '1-1')";
const UNKNOWN_NAME = 'return nothing';
const NEW_GLOBAL = '\nmade = 1';
const RAISED = "error('why')";
const RAISED_TABLE = "error({err = 'MINE it is'})";
const WRONG_KIND = "\n\nreturn redis.call('HGET', KEYS[1], 'f')";
const UNKNOWN_COMMAND = "return redis.call('NOSUCH', 'a')";
const WRONG_ARITY = "return redis.call('GET')";
const NOT_FOR_SCRIPTS = "return redis.call('EVAL', 'return 1', 0)";
const WORD_IS_TABLE = "return redis.call('GET', {})";
const WITH_HEADER = "#!lua flags=allow-oom\nreturn redis.call('HGET', KEYS[1], 'f')";
const READ_ONLY = "#!lua flags=no-writes\nreturn redis.call('SET', KEYS[1], 'x')";
const HALF_DONE = "redis.call('SET', KEYS[1], 'done') return redis.call('LLEN', KEYS[1])";

export const SCRIPT_CASES: readonly RedisCase[] = [
  {
    title: 'what a script returns becomes a reply',
    steps: [
      [evaluate("return {1, 3.9, -3.9, 'text', false, true}"), [1, 3, -3, 'text', null, 1]],
      [evaluate('return {1, 2, nil, 4}'), [1, 2]],
      [evaluate('return {1, {2, {3}}, {}}'), [1, [2, [3]], []]],
      [evaluate('return nil'), null],
      [evaluate('return'), null],
      [evaluate("return {ok = 'FINE'}"), 'FINE'],
      [evaluate("return {err = 'MINE it is'}"), refused('MINE it is')],
      [evaluate("return redis.status_reply('FINE')"), 'FINE'],
      [evaluate("return redis.error_reply('MINE it is')"), refused('MINE it is')],
      [evaluate("return redis.error_reply('oops')"), refused('ERR oops')],
      [evaluate("return {a = 1, 'x'}"), ['x']],
      [evaluate('return function() end'), null],
      [evaluate('return 2 ^ 53'), 9007199254740992],
      [evaluate('return ARGV', [], [Buffer.from([0, 255]), '']), ['\0\xff', '']],
      [evaluate('return {#KEYS, #ARGV, KEYS[1], ARGV[1]}', ['k'], ['a', 'b']), [1, 2, 'k', 'a']],
    ],
  },
  {
    title: 'replies become Lua values',
    steps: [
      [evaluate("return redis.call('SET', KEYS[1], 'v').ok", ['k']), 'OK'],
      [evaluate("return tostring(redis.call('GET', KEYS[1]))", ['none']), 'false'],
      [evaluate("return type(redis.call('INCR', KEYS[1]))", ['n']), 'number'],
      [evaluate("return redis.call('INCR', KEYS[1]) .. ':x'", ['n']), '2:x'],
      [evaluate("return type(redis.call('HGETALL', KEYS[1]))", ['none']), 'table'],
      [evaluate("return {redis.call('HMGET', KEYS[1], 'a', 'b')[2] == false}", ['none']), [1]],
      [evaluate("return redis.pcall('HGET', KEYS[1], 'f').err", ['k']), WRONGTYPE.refused],
      [evaluate("return redis.pcall('HGET', KEYS[1], 'f')", ['k']), WRONGTYPE],
      [
        evaluate("local ok, why = pcall(redis.call, 'LLEN', KEYS[1]) return {tostring(ok), why}", ['k']),
        ['false', WRONGTYPE.refused],
      ],
      [evaluate("return redis.call('XADD', KEYS[1], '1-1', 'f', 'v')", ['s']), '1-1'],
      [evaluate("return redis.call('XRANGE', KEYS[1], '-', '+')[1][2]", ['s']), ['f', 'v']],
      [evaluate("return tostring(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 0))", ['s']), 'false'],
      [
        evaluate(BLOCKS, ['s']),
        failed('ERR XREAD command is not allowed with BLOCK option from scripts', BLOCKS),
      ],
    ],
  },
  {
    title: 'numbers are doubles and are written as Lua 5.1 and Redis write them',
    steps: [
      [
        evaluate("return {tostring(3.0), 2 / 2 .. '', 7 / 2 .. '', 1e14 .. '', 1e15 .. '', -0.1 .. ''}"),
        ['3', '1', '3.5', '1e+14', '1e+15', '-0.1'],
      ],
      [
        evaluate(
          "return {2147483647 + 1 .. '', tonumber('4294967296') * 2 .. '', math.floor(5e9) + 1 .. ''}",
        ),
        ['2147483648', '8589934592', '5000000001'],
      ],
      [
        evaluate(
          "return {tostring(1/0), tostring(-1/0), 0.1 + 0.2 .. '', 1e-5 .. '', 123456789012345 .. ''}",
        ),
        ['inf', '-inf', '0.3', '1e-05', '1.2345678901234e+14'],
      ],
      [
        evaluate("return {'10' + 5, '3' * '4', 10 .. 20, -7 % 3, 7 % -3, 2 ^ 10}"),
        [15, 12, '1020', 2, -2, 1024],
      ],
      [
        evaluate(
          "return {tonumber('0x10'), tonumber(' 7 '), tostring(tonumber('')), tostring(tonumber('7x')), tonumber('1e3'), tonumber('z', 36)}",
        ),
        [16, 7, 'nil', 'nil', 1000, 35],
      ],
      [
        evaluate(
          "redis.call('RPUSH', KEYS[1], 3, 2.5, 0.1, 1e20, -0.0 + 5, 2 ^ 53) return redis.call('LRANGE', KEYS[1], 0, -1)",
          ['l'],
        ),
        ['3', '2.5', '0.10000000000000001', '1e+20', '5', '9007199254740992'],
      ],
      [
        evaluate(
          "return {string.format('%.0f|%.0f|%.0f|%.0f', 0.5, 1.5, 2.5, 1e17), string.format('%d|%5d|%-5d|%05d|%+d', 42.9, 42, 42, -42, 42)}",
        ),
        ['0|2|2|100000000000000000', '42|   42|42   |-0042|+42'],
      ],
      [
        evaluate(
          "return {string.format('%s|%10s|%-4s|%.2s|%%', 1.0, 'ab', 'ab', 'abc'), string.format('%g|%.3f|%x|%X|%c', 0.5, 2 / 3, 255, 255, 65)}",
        ),
        ['1|        ab|ab  |ab|%', '0.5|0.667|ff|FF|A'],
      ],
    ],
  },
  {
    title: 'strings, tables and iteration are those of Lua 5.1',
    steps: [
      [evaluate("return {string.match('12 34', '^(%d+) (%d+)$')}"), ['12', '34']],
      [
        evaluate(
          "return {string.sub('abc', -2), ('x'):rep(3), #'a\\0b', string.byte('A'), ('aXb'):lower(), string.find('a.b', '.', 1, true)}",
        ),
        ['bc', 'xxx', 3, 65, 'axb', 2, 2],
      ],
      [
        evaluate(
          "local all = {} for a, b in string.gmatch('a=1,b=2', '(%w+)=(%w+)') do table.insert(all, a .. b) end return all",
        ),
        ['a1', 'b2'],
      ],
      [evaluate("return {string.gsub('hello', 'l', 'L')}"), ['heLLo', 2]],
      [
        evaluate(
          "local t = {3, 1, 2} table.sort(t) table.insert(t, 1, 0) return {table.concat(t, ','), table.remove(t), #t, unpack(t)}",
        ),
        ['0,1,2,3', 3, 3, 0, 1, 2],
      ],
      [
        evaluate(
          "return {select('#', 1, nil, 3), select(2, 'a', 'b'), type(next({})), math.max(1, 5), math.min(1, 5), table.getn({1, 2})}",
        ),
        [3, 'b', 'nil', 5, 1, 2],
      ],
      [
        evaluate(
          "local t = {} for i = 10, 1, -3 do t[#t + 1] = i end for i, v in ipairs({'a'}) do t[#t + 1] = i .. v end return t",
        ),
        [10, 7, 4, 1, '1a'],
      ],
      [
        evaluate("return {'a' < 'b', 'a\\1' < 'a\\2', 'Z' < 'a', 'a' .. '\\1#' == 'a' .. '\\18\\3'}"),
        [1, 1, 1, null].slice(0, 3).concat([null]) as (number | null)[],
      ],
      [evaluate("local t = {} t['\\1\\35'] = 1 t['\\18\\3'] = 2 return t['\\1\\35']"), 1],
      [evaluate("return redis.sha1hex('')"), sha('')],
    ],
  },
  {
    title: 'errors say which script and line they come from',
    steps: [
      ['SET k v', 'OK'],
      [
        evaluate(UNKNOWN_NAME),
        failed(
          "ERR user_script:1: Script attempted to access nonexistent global variable 'nothing'",
          UNKNOWN_NAME,
        ),
      ],
      [evaluate(NEW_GLOBAL), failed('ERR user_script:2: Attempt to modify a readonly table', NEW_GLOBAL, 2)],
      [evaluate(RAISED), failed('ERR user_script:1: why', RAISED)],
      [evaluate(RAISED_TABLE), failed('MINE it is', RAISED_TABLE)],
      [evaluate(WRONG_KIND, ['k']), failed(WRONGTYPE.refused, WRONG_KIND, 3)],
      [evaluate(WITH_HEADER, ['k']), failed(WRONGTYPE.refused, WITH_HEADER, 2)],
      [evaluate(UNKNOWN_COMMAND), failed('ERR Unknown Redis command called from script', UNKNOWN_COMMAND)],
      [
        evaluate(WRONG_ARITY),
        failed('ERR Wrong number of args calling Redis command from script', WRONG_ARITY),
      ],
      [
        evaluate(NOT_FOR_SCRIPTS),
        failed('ERR This Redis command is not allowed from script', NOT_FOR_SCRIPTS),
      ],
      [
        evaluate(WORD_IS_TABLE),
        failed('ERR Lua redis lib command arguments must be strings or integers', WORD_IS_TABLE),
      ],
      [
        evaluate(READ_ONLY, ['k']),
        failed('ERR Write commands are not allowed from read-only scripts.', READ_ONLY, 2),
      ],
      [evaluate(HALF_DONE, ['k']), failed(WRONGTYPE.refused, HALF_DONE)],
      ['GET k', 'done'],
      [['EVAL', 'return 1'], refused("ERR wrong number of arguments for 'eval' command")],
      ['EVAL return x', NOT_INTEGER],
      [['EVAL', 'return 1', 2, 'a'], refused("ERR Number of keys can't be greater than number of args")],
      [['EVAL', 'return 1', -1, 'a'], refused("ERR Number of keys can't be negative")],
    ],
  },
  {
    title: 'a script is known by its SHA-1 until scripts are flushed',
    steps: [
      [['EVALSHA', sha('return 77'), 0], refused('NOSCRIPT No matching script. Please use EVAL.')],
      [['SCRIPT', 'LOAD', 'return 77'], sha('return 77')],
      [['EVALSHA', sha('return 77').toUpperCase(), 0], 77],
      [['EVAL', 'return 78', 0], 78],
      [
        ['SCRIPT', 'EXISTS', sha('return 77'), sha('return 78'), sha('return 79')],
        [1, 1, 0],
      ],
      [['SCRIPT', 'FLUSH'], 'OK'],
      [['EVALSHA', sha('return 78'), 0], refused('NOSCRIPT No matching script. Please use EVAL.')],
    ],
  },
];
