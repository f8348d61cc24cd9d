import { readFileSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { numberText } from './lua-number-text.ts';

/*
 * Fengari, a Lua 5.3 in JavaScript, made to count as the Lua 5.1 of Redis does: every number is a double (its own integers wrap at
 * 32 bits), `3.0` is written `3`, and numbers have 14 digits. Its modules take these from one another when they are loaded, so they
 * are replaced in between. So are its strings and their hashes, by which it finds and orders them: it takes "\x01\x23" and "\x12\x03"
 * for one, and knows no other form of a string than bytes.
 */
const SHORT_BYTES_MAX = 24;
const require = createRequire(import.meta.url);
const hooks = registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.includes('/fengari/src/')) return loaded;
    return { ...loaded, source: withDenseStack(readFileSync(new URL(url), 'utf8')) };
  },
});
require('fengari/src/defs.js');
Object.assign(require('fengari/src/luaconf.js') as object, {
  LUA_COMPAT_FLOATSTRING: true,
  lua_number2str: (value: number) => numberText(value, 14),
});

/** A string of Lua, as text of one character for each byte, as bytes, or as both once both were asked for. */
export class LuaString {
  #text: string | null;
  #bytes: Uint8Array | null;

  constructor(_: null, content: string | Uint8Array) {
    this.#text = typeof content === 'string' ? content : null;
    this.#bytes = typeof content === 'string' ? null : content;
  }

  get text(): string {
    return (this.#text ??= latin1(this.#bytes as Uint8Array));
  }

  get realstring(): Uint8Array {
    return (this.#bytes ??= luaBytes(this.#text as string));
  }

  getstr(): Uint8Array {
    return this.realstring;
  }

  tsslen(): number {
    return this.#bytes?.length ?? (this.#text as string).length;
  }
}

Object.assign(require('fengari/src/lstring.js') as object, {
  TString: LuaString,
  luaS_bless: (_: LuaState, bytes: Uint8Array) => new LuaString(null, bytes),
  luaS_new: function copied(_: LuaState, bytes: Uint8Array) {
    return new LuaString(null, new Uint8Array(bytes)); // not an arrow: it is also called with `new`
  },
  luaS_newliteral: (_: LuaState, text: string) => new LuaString(null, Buffer.from(text)),
  luaS_eqlngstr: (a: LuaString, b: LuaString) => a === b || a.text === b.text,
  luaS_hash: latin1,
  luaS_hashlongstr: (string: LuaString) => string.text,
});
const api = require('fengari/src/lapi.js') as { lua_pushnumber: unknown; lua_pushinteger: unknown };
api.lua_pushinteger = api.lua_pushnumber;
const { TValue, pushsvalue2s } = require('fengari/src/lobject.js') as {
  readonly TValue: { prototype: { setivalue: unknown; setfltvalue: unknown } };
  readonly pushsvalue2s: (state: LuaState, string: LuaString) => void;
};
TValue.prototype.setivalue = TValue.prototype.setfltvalue;

/** Fengari deletes what it pops from its stack, which costs a call into V8 each time, and has the array become a dictionary. */
function withDenseStack(source: string): string {
  return source.replaceAll(/delete ((?:L|from)\.stack\[.*\]);/g, '$1 = undefined;');
}

const fengari = require('fengari') as {
  readonly lua: LuaApi;
  readonly lauxlib: LuaAuxiliary;
  readonly lualib: { readonly luaL_openlibs: (state: LuaState) => void };
};

hooks.deregister();

/** The C interface of Lua, as far as it is used here; strings are bytes. */
export const lua: LuaApi = fengari.lua;
export const { lauxlib, lualib } = fengari;

/** Pushes a string without a copy of it. */
export const pushString: (state: LuaState, string: LuaString) => void = pushsvalue2s;

/** The string at an index of the stack, null when something else is there. */
export function stringAt({ stack, top, ci }: LuaState, index: number): LuaString | null {
  const value = stack[index > 0 ? ci.funcOff + index : top + index]?.value;
  return value instanceof LuaString ? value : null;
}

/** Bytes as text of one character each. What is short is made here: a view and a call into the runtime cost more. */
export function latin1(bytes: Uint8Array): string {
  if (bytes.length > SHORT_BYTES_MAX)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

/** The reverse. */
export function luaBytes(text: string): Uint8Array {
  if (text.length > SHORT_BYTES_MAX) return Buffer.from(text, 'latin1');
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** One Lua with its stack. What is called now has its arguments above `funcOff`. */
export interface LuaState {
  readonly stack: readonly ({ readonly value: unknown } | undefined)[];
  readonly top: number;
  readonly ci: { readonly funcOff: number };
}

/** A function that Lua calls: takes its arguments from the stack, leaves its results there and returns their number. */
export type LuaFunction = (state: LuaState) => number;

interface LuaDebug {
  readonly what: Uint8Array | null;
  readonly source: Uint8Array | null;
  readonly currentline: number;
}

interface LuaApi {
  readonly LUA_OK: number;
  readonly LUA_TNIL: number;
  readonly LUA_TBOOLEAN: number;
  readonly LUA_TNUMBER: number;
  readonly LUA_TSTRING: number;
  readonly LUA_TTABLE: number;
  readonly LUA_REGISTRYINDEX: number;
  readonly lua_Debug: new () => LuaDebug;
  readonly lua_absindex: (state: LuaState, index: number) => number;
  readonly lua_createtable: (state: LuaState, items: number, fields: number) => void;
  readonly lua_error: (state: LuaState) => never;
  readonly lua_getfield: (state: LuaState, index: number, name: Uint8Array) => number;
  readonly lua_getglobal: (state: LuaState, name: Uint8Array) => number;
  readonly lua_getinfo: (state: LuaState, what: Uint8Array, into: LuaDebug) => number;
  readonly lua_getstack: (state: LuaState, level: number, into: LuaDebug) => number;
  readonly lua_gettop: (state: LuaState) => number;
  readonly lua_checkstack: (state: LuaState, slots: number) => boolean;
  readonly lua_pcall: (state: LuaState, args: number, results: number, handler: number) => number;
  readonly lua_pop: (state: LuaState, count: number) => void;
  readonly lua_pushboolean: (state: LuaState, value: boolean) => void;
  readonly lua_pushcfunction: (state: LuaState, run: LuaFunction) => void;
  readonly lua_pushnil: (state: LuaState) => void;
  readonly lua_pushnumber: (state: LuaState, value: number) => void;
  readonly lua_pushstring: (state: LuaState, bytes: Uint8Array) => void;
  readonly lua_pushvalue: (state: LuaState, index: number) => void;
  readonly lua_rawget: (state: LuaState, index: number) => number;
  readonly lua_rawgeti: (state: LuaState, index: number, item: number) => number;
  readonly lua_rawset: (state: LuaState, index: number) => void;
  readonly lua_rawseti: (state: LuaState, index: number, item: number) => void;
  readonly lua_setmetatable: (state: LuaState, index: number) => void;
  readonly lua_settop: (state: LuaState, index: number) => void;
  readonly lua_setupvalue: (state: LuaState, index: number, upvalue: number) => unknown;
  readonly lua_toboolean: (state: LuaState, index: number) => boolean;
  readonly lua_tonumber: (state: LuaState, index: number) => number;
  readonly lua_tostring: (state: LuaState, index: number) => Uint8Array | null;
  readonly lua_type: (state: LuaState, index: number) => number;
}

interface LuaAuxiliary {
  readonly luaL_newstate: () => LuaState;
  readonly luaL_checknumber: (state: LuaState, index: number) => number;
  readonly luaL_checkstring: (state: LuaState, index: number) => Uint8Array;
  readonly luaL_error: (state: LuaState, format: Uint8Array) => never;
  readonly luaL_loadbuffer: (state: LuaState, chunk: Uint8Array, size: number, name: Uint8Array) => number;
  readonly luaL_ref: (state: LuaState, table: number) => number;
  readonly luaL_tolstring: (state: LuaState, index: number) => Uint8Array;
}
