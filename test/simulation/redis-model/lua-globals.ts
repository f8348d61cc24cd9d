import { luaFormat } from './lua-format.ts';
import { numberText } from './lua-number-text.ts';
import { lauxlib, lua, luaBytes, type LuaFunction, type LuaState, lualib, stringAt } from './lua-runtime.ts';
import { pushAnswer, pushRecord, pushText, textAt } from './lua-values.ts';
import type { Bytes } from './bytes.ts';
import type { Answer } from './redis-reply.ts';
import { RedisReplyError } from './redis-reply-error.ts';
import { sha1 } from './sha1.ts';

/** One `redis.call`. @throws RedisReplyError */
export type ServerCall = (words: readonly Bytes[]) => Answer;

/** Registry indices of the table that scripts have as their environment, and of the one where KEYS and ARGV are put. */
export interface ScriptGlobals {
  readonly environment: number;
  readonly globals: number;
}

/**
 * What a script finds: the parts of Lua 5.1 named below, and `redis`. Unknown globals fail and none can be made, as in the server.
 * Left out is what would not be the same on every run (`math.random`, `os.clock`) and the libraries that Redis adds (cjson, cmsgpack,
 * bit, struct): their names are unknown.
 */
export function openScriptGlobals(state: LuaState, call: ServerCall): ScriptGlobals {
  lualib.luaL_openlibs(state);
  const source = luaBytes(PRELUDE);
  if (lauxlib.luaL_loadbuffer(state, source, source.length, luaBytes('@prelude')) !== lua.LUA_OK)
    throw new Error(textAt(state, -1));
  for (const native of [luaFormat, calling(call, true), calling(call, false), luaSha1])
    lua.lua_pushcfunction(state, native);
  if (lua.lua_pcall(state, 4, 2, 0) !== lua.LUA_OK) throw new Error(textAt(state, -1));
  const globals = lauxlib.luaL_ref(state, lua.LUA_REGISTRYINDEX);
  const environment = lauxlib.luaL_ref(state, lua.LUA_REGISTRYINDEX);
  return { environment, globals };
}

const PRELUDE = `
local format, call, pcallServer, sha1hex = ...
string.format = format

local function errorReply(text, ...)
  if type(text) ~= 'string' or select('#', ...) > 0 then return { err = 'ERR wrong number or type of arguments' } end
  text = text:gsub('^-', ''):gsub('[\\r\\n]+$', '')
  return { err = text:find(' ', 1, true) and text or 'ERR ' .. text }
end
local function statusReply(text, ...)
  if type(text) ~= 'string' or select('#', ...) > 0 then return { err = 'ERR wrong number or type of arguments' } end
  return { ok = text }
end

local function picked(from, names)
  local set = {}
  for name in names:gmatch('%S+') do set[name] = from[name] end
  return set
end

local globals = picked(_G, [[assert error getmetatable ipairs next pairs rawequal rawget rawset select setmetatable
  tonumber tostring type xpcall]])
globals._G = globals
globals.pcall = function(...)
  local results = table.pack(pcall(...))
  if not results[1] and type(results[2]) == 'table' and results[2].err then return false, results[2].err end
  return table.unpack(results, 1, results.n)
end
globals.unpack = table.unpack
globals.string = picked(string, 'byte char find format gmatch gsub len lower match rep reverse sub upper')
globals.table = picked(table, 'concat insert remove sort')
globals.table.getn = function(t) return #t end
globals.math = picked(math, 'abs ceil exp floor fmod huge log max min modf pi sqrt')
globals.redis = { call = call, pcall = pcallServer, sha1hex = sha1hex, error_reply = errorReply, status_reply = statusReply,
  log = function() end, LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3 }
setmetatable(globals, { __index = function(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end })
local environment = setmetatable({}, {
  __index = globals,
  __newindex = function() error('Attempt to modify a readonly table', 2) end,
})
return environment, globals
`;

const luaSha1: LuaFunction = (state) => {
  pushText(state, sha1(textAt(state, 1)));
  return 1;
};

function calling(call: ServerCall, raises: boolean): LuaFunction {
  return (state) => {
    let answer: Answer;
    try {
      answer = call(wordsOf(state));
    } catch (error) {
      if (!(error instanceof RedisReplyError)) throw error;
      pushRecord(state, 'err', error.message);
      return raises ? lua.lua_error(state) : 1;
    }
    pushAnswer(state, answer);
    return 1;
  };
}

/** The arguments of `redis.call`; numbers are written as `%.17g`. */
function wordsOf(state: LuaState): readonly Bytes[] {
  const count = lua.lua_gettop(state);
  if (count === 0)
    throw new RedisReplyError('ERR Please specify at least one argument for this redis lib call');
  const words: Bytes[] = [];
  for (let i = 1; i <= count; i++) {
    const string = stringAt(state, i);
    if (string !== null) words.push(string.text);
    else if (lua.lua_type(state, i) === lua.LUA_TNUMBER)
      words.push(numberText(lua.lua_tonumber(state, i), 17));
    else throw new RedisReplyError('ERR Lua redis lib command arguments must be strings or integers');
  }
  return words;
}
