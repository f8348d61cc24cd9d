import { type CommandTable, grows, reads, writes } from './command.ts';

export const SET_COMMANDS: CommandTable = {
  SCARD: reads(2, ([key = ''], keys) => keys.read(key, 'set')?.size ?? 0),
  SISMEMBER: reads(3, ([key = '', member = ''], keys) =>
    Number(keys.read(key, 'set')?.members.has(member) ?? false),
  ),
  SMISMEMBER: reads(-3, ([key = '', ...members], keys) => {
    const set = keys.read(key, 'set');
    return members.map((member) => Number(set?.members.has(member) ?? false));
  }),
  SMEMBERS: reads(2, ([key = ''], keys) => [...(keys.read(key, 'set')?.members ?? [])]),
  SADD: grows(-3, ([key = '', ...members], keys) =>
    keys.changeOrMake(key, 'set', (set) => members.filter((member) => set.add(member)).length),
  ),
  SREM: writes(
    -3,
    ([key = '', ...members], keys) =>
      keys.change(key, 'set', (set) => members.filter((member) => set.delete(member)).length) ?? 0,
  ),
};
