import { numberText } from './lua-number-text.ts';
import { lauxlib, lua, luaBytes, type LuaFunction, type LuaState } from './lua-runtime.ts';
import { pushText, textAt } from './lua-values.ts';

/** `string.format` with the rounding of C and the integers of 64 bits that Lua 5.1 has. */
export const luaFormat: LuaFunction = (state) => {
  lauxlib.luaL_checkstring(state, 1);
  const format = textAt(state, 1);
  let used = 1;
  const text = format.replace(
    /%([-+ #0]*)([0-9]{0,2})(?:\.([0-9]{0,2}))?(.?)/gs,
    (_, flags: string, width: string, precision: string | undefined, conversion: string) => {
      if (conversion === '%') return '%';
      used++;
      const digits = precision === undefined ? null : Number(precision);
      return padded(converted(state, used, conversion, digits, flags), flags, Number(width), conversion);
    },
  );
  pushText(state, text);
  return 1;
};

function converted(
  state: LuaState,
  index: number,
  conversion: string,
  precision: number | null,
  flags: string,
): string {
  if (conversion === 's') {
    if (index > lua.lua_gettop(state)) lauxlib.luaL_checkstring(state, index);
    lauxlib.luaL_tolstring(state, index);
    const text = textAt(state, -1);
    lua.lua_pop(state, 1);
    return precision === null ? text : text.slice(0, precision);
  }
  const value = lauxlib.luaL_checknumber(state, index);
  const sign = value >= 0 ? (/[+ ]/.exec(flags)?.[0] ?? '') : '';
  switch (conversion) {
    case 'd':
    case 'i':
      return sign + integer(value);
    case 'c':
      return String.fromCharCode(value & 0xff);
    case 'x':
      return unsigned(value).toString(16);
    case 'X':
      return unsigned(value).toString(16).toUpperCase();
    case 'f':
      return sign + fixed(value, precision ?? 6);
    case 'g':
      return sign + numberText(value, precision === 0 ? 1 : (precision ?? 6));
    default:
      return lauxlib.luaL_error(state, luaBytes(`string.format of %${conversion} is not part of the model`));
  }
}

function padded(text: string, flags: string, width: number, conversion: string): string {
  if (text.length >= width) return text;
  if (flags.includes('-')) return text.padEnd(width);
  if (!flags.includes('0') || conversion === 's' || conversion === 'c') return text.padStart(width);
  const sign = /^[-+ ]/.exec(text)?.[0] ?? '';
  return sign + text.slice(sign.length).padStart(width - sign.length, '0');
}

/** As a cast to `long` cuts it on x86-64. */
function integer(value: number): bigint {
  const whole = Number.isFinite(value) ? BigInt(Math.trunc(value)) : INT64_MIN;
  return whole === BigInt.asIntN(64, whole) ? whole : INT64_MIN;
}

const unsigned = (value: number): bigint => BigInt.asUintN(64, integer(value));
const INT64_MIN = -(2n ** 63n);

/** `%.<digits>f`: a tie goes to the even neighbour, where `toFixed` takes the larger one. */
function fixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return numberText(value, 14);
  if (digits === 0 && Number.isSafeInteger(value) && !Object.is(value, -0)) return String(value);
  if (Math.abs(value) >= 1e21)
    return digits === 0 ? String(BigInt(value)) : `${BigInt(value)}.${'0'.repeat(digits)}`;
  const rounded = Math.abs(value).toFixed(digits);
  const exact = Math.abs(value).toFixed(Math.min(100, digits + 30));
  const rest = exact.slice(digits === 0 ? exact.indexOf('.') + 1 : exact.indexOf('.') + 1 + digits);
  const even = /^50*$/.test(rest) ? exact.slice(0, exact.length - rest.length).replace(/\.$/, '') : rounded;
  const text = /[02468]$/.test(even) ? even : rounded;
  return value < 0 || Object.is(value, -0) ? `-${text}` : text;
}
