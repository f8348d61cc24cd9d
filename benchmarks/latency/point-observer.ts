import { connect, type Socket } from 'node:net';
import { seriesKeys } from '#engine';
import { NAMESPACE, SERIES } from './settings.ts';

/** One write of points of a page of the live series, as the server told. */
export interface PageWrite {
  readonly page: string;
  /** Epoch ms. */
  readonly atMs: number;
}

/**
 * Sees every write to a page of the live series from outside the engine: the server's own notifications of changed keys, which leave it right
 * behind the script that wrote. Reads the socket itself, so that each notification has the time at which its bytes came.
 */
export class PointObserver {
  readonly #socket: Socket;
  readonly #now: () => number;
  readonly #onWrite: (write: PageWrite) => void;
  #text = '';

  private constructor(socket: Socket, now: () => number, onWrite: (write: PageWrite) => void) {
    this.#socket = socket;
    this.#now = now;
    this.#onWrite = onWrite;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  /** @param path of the server's unix socket; its notifications are switched on */
  static async open(
    path: string,
    now: () => number,
    onWrite: (write: PageWrite) => void,
  ): Promise<PointObserver> {
    const socket = connect(path);
    const observer = new PointObserver(socket, now, onWrite);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.write(command('CONFIG', 'SET', 'notify-keyspace-events', 'Kh'));
        socket.write(command('PSUBSCRIBE', `__keyspace@0__:${pagesOfAnyShard()}*`));
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
      this.#onWrite({ page: match[1] as string, atMs });
      end = match.index + match[0].length;
    }
    this.#text = this.#text.slice(end);
  }
}

/** `mr:…:page:<hour>:<page>` was changed by HSET. */
const HASH_SET = /__keyspace@0__:(mr:[^\r]+?\}:page:\d+:\d+)\r\n\$4\r\nhset\r\n/g;

/** The pattern's own text has no hour, so that notifications only are found by {@link HASH_SET}. */
function pagesOfAnyShard(): string {
  return seriesKeys(NAMESPACE, SERIES, 0).pages.replace(':0}', ':*}');
}

function command(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}
