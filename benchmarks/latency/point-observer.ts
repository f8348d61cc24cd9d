import { connect, type Socket } from 'node:net';
import { seriesKeys } from '#engine';
import { NAMESPACE, SERIES } from './settings.ts';

/** One write of a point, as the server told. */
export interface PointWrite {
  /** Text of the series key. */
  readonly key: string;
  /** Epoch ms. */
  readonly atMs: number;
}

/**
 * Sees every write of a point of the live series from outside the engine: the server's own notifications of changed keys, which leave it right
 * behind the script that wrote. Reads the socket itself, so that each notification has the time at which its bytes came.
 */
export class PointObserver {
  readonly #socket: Socket;
  readonly #now: () => number;
  readonly #onWrite: (write: PointWrite) => void;
  #text = '';

  private constructor(socket: Socket, now: () => number, onWrite: (write: PointWrite) => void) {
    this.#socket = socket;
    this.#now = now;
    this.#onWrite = onWrite;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  /** @param path of the server's unix socket; its notifications are switched on */
  static async open(
    path: string,
    now: () => number,
    onWrite: (write: PointWrite) => void,
  ): Promise<PointObserver> {
    const socket = connect(path);
    const observer = new PointObserver(socket, now, onWrite);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.write(command('CONFIG', 'SET', 'notify-keyspace-events', 'Kh'));
        socket.write(command('PSUBSCRIBE', `__keyspace@0__:${bucketsOfAnyShard()}*`));
      });
      socket.once('data', () => resolve());
    });
    return observer;
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const atMs = this.#now();
    this.#text += chunk.toString('latin1');
    let end = 0;
    for (const match of this.#text.matchAll(HASH_SET)) {
      this.#onWrite({ key: match[1] as string, atMs });
      end = match.index + match[0].length;
    }
    this.#text = this.#text.slice(end);
  }
}

/** `mr:…:p:<hour>:<series key>` was changed by HSET. */
const HASH_SET = /__keyspace@0__:mr:[^\r]+?\}:p:\d+:([^\r]+)\r\n\$4\r\nhset\r\n/g;

/** The pattern's own text has no hour, so that notifications only are found by {@link HASH_SET}. */
function bucketsOfAnyShard(): string {
  return seriesKeys(NAMESPACE, SERIES, 0).buckets.replace(':0}', ':*}');
}

function command(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}
