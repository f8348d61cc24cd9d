/** What a server is asked, and what it answers: one behaviour that the model and the real server share. */
export interface RedisCase {
  readonly title: string;
  readonly steps: readonly (readonly [command: string | readonly RedisWord[], answer: ExpectedAnswer])[];
}

export type RedisWord = string | number | Buffer;

/** A reply with strings of one character per byte, or the text of an error. */
export type ExpectedAnswer = null | number | string | Refused | readonly ExpectedAnswer[];

interface Refused {
  readonly refused: string;
}

export const refused = (text: string): Refused => ({ refused: text });

/** Words between single spaces; what holds spaces itself is given as a list. */
export function wordsOf(command: string | readonly RedisWord[]): readonly RedisWord[] {
  return typeof command === 'string' ? command.split(' ') : command;
}

export const WRONGTYPE = refused('WRONGTYPE Operation against a key holding the wrong kind of value');
export const NOT_INTEGER = refused('ERR value is not an integer or out of range');
export const SYNTAX = refused('ERR syntax error');
