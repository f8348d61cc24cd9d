import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type NetConnectOpts } from 'node:net';
import { join } from 'node:path';
import { type Clock, MillraceError } from '#wire';

/** How the private server is reached: a socket in its own folder, or a loopback port where the path is too long for one. */
export interface RedisAddress {
  /** `redis://…` or the path of the socket. */
  readonly url: string;
  readonly socket: string | null;
  readonly port: number | null;
}

/** A socket's path may have 103 bytes on macOS and 107 on Linux. */
const SOCKET_BYTES_MAX = 100;
const ANSWER_MS_MAX = 1_000;
const POLL_MS = 25;

/**
 * The address for a folder, which is made if need be (for its owner alone). A loopback port is open to every user of the
 * machine, a socket is not; the port is kept between starts, so that a server left behind is found.
 */
export async function redisAddress(folder: string): Promise<RedisAddress> {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o700);
  const socket = join(folder, 'redis.sock');
  if (Buffer.byteLength(socket) <= SOCKET_BYTES_MAX) return { url: socket, socket, port: null };
  const kept = join(folder, 'port');
  const before = existsSync(kept) ? Number(readFileSync(kept, 'utf8')) : Number.NaN;
  const usable =
    Number.isInteger(before) && ((await ownsServer(portAddress(before), folder)) || (await isFree(before)));
  const port = usable ? before : await freePort();
  writeFileSync(kept, String(port));
  return portAddress(port);
}

/** Resolves when the server answers commands, which it does not while it loads its data. @throws MR_OPS_START after `msMax` */
export async function redisAnswers(
  address: RedisAddress,
  msMax: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const deadline = clock.monotonic() + msMax;
  while (!signal.aborted && !(await ask(address, 'PING')).startsWith('+PONG')) {
    if (clock.monotonic() > deadline) {
      throw new MillraceError(
        'MR_OPS_START',
        `Redis did not answer at ${address.url} within ${msMax / 1_000} s. Its log is redis.log beside the socket.`,
      );
    }
    await clock.sleep(POLL_MS, signal);
  }
}

/**
 * Ends a server that a killed supervisor left behind in this folder: two on one append-only file would ruin it.
 * @throws MR_OPS_START when it does not end within `msMax`
 */
export async function endLeftServer(
  address: RedisAddress,
  folder: string,
  msMax: number,
  clock: Clock,
): Promise<void> {
  if (!(await ownsServer(address, folder))) return;
  await ask(address, 'SHUTDOWN NOSAVE');
  const deadline = clock.monotonic() + msMax;
  while (await ownsServer(address, folder)) {
    if (clock.monotonic() > deadline) {
      throw new MillraceError(
        'MR_OPS_START',
        `A Redis of an earlier start still runs at ${address.url} and does not stop. Stop it by hand.`,
      );
    }
    await clock.sleep(POLL_MS);
  }
}

/** True when the server at this address keeps its data in our folder: nobody else's server is ever told to stop. */
async function ownsServer(address: RedisAddress, folder: string): Promise<boolean> {
  return (await ask(address, 'CONFIG GET dir')).split('\r\n').includes(folder);
}

/** The first bytes of the answer to one inline command; empty when there is none. */
function ask({ socket, port }: RedisAddress, command: string): Promise<string> {
  const to: NetConnectOpts = socket === null ? { host: '127.0.0.1', port: port ?? 0 } : { path: socket };
  return new Promise((resolve) => {
    const connection = connect(to);
    const finish = (answer: string) => {
      connection.destroy();
      resolve(answer);
    };
    connection.setTimeout(ANSWER_MS_MAX, () => finish(''));
    connection.once('error', () => finish(''));
    connection.once('close', () => finish(''));
    connection.once('data', (bytes) => finish(bytes.toString()));
    connection.write(`${command}\r\n`);
  });
}

function portAddress(port: number): RedisAddress {
  return { url: `redis://127.0.0.1:${port}`, socket: null, port };
}

async function freePort(): Promise<number> {
  const port = await listen(0);
  if (port === null)
    throw new MillraceError(
      'MR_OPS_START',
      'No loopback port is free for Redis. Use a shorter MILLRACE_DIR.',
    );
  return port;
}

async function isFree(port: number): Promise<boolean> {
  return (await listen(port)) !== null;
}

/** Listens for a moment; null when the port cannot be had. */
async function listen(port: number): Promise<number | null> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch {
    return null;
  }
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : null;
}
