import type { Bytes } from './bytes.ts';
import { latin1, lua, type LuaState, LuaString, pushString, stringAt } from './lua-runtime.ts';
import { type Answer, assertDepth, isList } from './redis-reply.ts';
import { RedisModelGap, RedisReplyError } from './redis-reply-error.ts';

/** Pushes a reply as scripts see it: null is false, a status a table with `ok`. */
export function pushAnswer(state: LuaState, answer: Answer): void {
  if (answer === null) lua.lua_pushboolean(state, false);
  else if (typeof answer === 'string') pushText(state, answer);
  else if (typeof answer === 'number' || typeof answer === 'bigint')
    lua.lua_pushnumber(state, Number(answer));
  else if (isList(answer)) {
    lua.lua_checkstack(state, 2);
    lua.lua_createtable(state, answer.length, 0);
    for (const [i, item] of answer.entries()) {
      pushAnswer(state, item);
      lua.lua_rawseti(state, -2, i + 1);
    }
  } else pushRecord(state, 'ok', answer.status);
}

/** Pushes `{[name] = value}`, which is how scripts have statuses and errors. */
export function pushRecord(state: LuaState, name: 'ok' | 'err', value: Bytes): void {
  lua.lua_createtable(state, 0, 1);
  pushText(state, name);
  pushText(state, value);
  lua.lua_rawset(state, -3);
}

export function pushText(state: LuaState, text: Bytes): void {
  pushString(state, new LuaString(null, text));
}

/**
 * The reply for what a script returned: numbers lose their fraction, false and nil are null, a table is an array up to its first nil.
 * @throws RedisReplyError for a table with `err`
 */
export function answerAt(state: LuaState, index: number, depth = 0): Answer {
  assertDepth(depth);
  switch (lua.lua_type(state, index)) {
    case lua.LUA_TSTRING:
      return textAt(state, index);
    case lua.LUA_TNUMBER:
      return truncated(lua.lua_tonumber(state, index));
    case lua.LUA_TBOOLEAN:
      return lua.lua_toboolean(state, index) ? 1 : null;
    case lua.LUA_TTABLE:
      return tableAt(state, lua.lua_absindex(state, index), depth);
    default:
      return null;
  }
}

export function textAt(state: LuaState, index: number): Bytes {
  return stringAt(state, index)?.text ?? latin1(lua.lua_tostring(state, index) ?? new Uint8Array());
}

/** The text of one field of the table at `index`, null when it is no string. */
export function fieldText(state: LuaState, index: number, name: Bytes): Bytes | null {
  const table = lua.lua_absindex(state, index);
  pushText(state, name);
  lua.lua_rawget(state, table);
  const text = lua.lua_type(state, -1) === lua.LUA_TSTRING ? textAt(state, -1) : null;
  lua.lua_pop(state, 1);
  return text;
}

function tableAt(state: LuaState, index: number, depth: number): Answer {
  lua.lua_checkstack(state, 3);
  const error = fieldText(state, index, 'err');
  if (error !== null && depth > 0) throw new RedisModelGap('errors inside of an array');
  if (error !== null) throw new RedisReplyError(error.replace(/^-/, ''));
  const status = fieldText(state, index, 'ok');
  if (status !== null) return { status: status.replaceAll(/[\r\n]/g, ' ') };
  const items: Answer[] = [];
  for (let i = 1; ; i++) {
    lua.lua_rawgeti(state, index, i);
    const ended = lua.lua_type(state, -1) === lua.LUA_TNIL;
    if (!ended) items.push(answerAt(state, -1, depth + 1));
    lua.lua_pop(state, 1);
    if (ended) return items;
  }
}

const INT64_MIN = -(2 ** 63);

function truncated(value: number): number {
  if (Number.isNaN(value) || Math.abs(value) >= 2 ** 63) return INT64_MIN;
  return Math.trunc(value) + 0; // + 0: no negative zero
}
