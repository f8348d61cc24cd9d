/**
 * Has each generated function compiled once for all runs of this process. The engine gives every one a name of its own, so that V8 keeps
 * them and what it learns of them apart; a simulation builds the same tasks hundreds of times, and would spend a twentieth of its time
 * on compiling them, and on running what V8 does not know well yet.
 */
const Native = globalThis.Function;
const made = new Map<string, unknown>();
const SOURCE_URL = /\n\/\/# sourceURL=[^\n]*$/;

globalThis.Function = new Proxy(Native, {
  construct(target, texts: readonly string[]) {
    const name = texts.join('\0').replace(SOURCE_URL, '');
    let make = made.get(name);
    if (make === undefined) made.set(name, (make = Reflect.construct(target, texts)));
    return make as object;
  },
});
