import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface RedisServerOptions {
  /** Default `no`: nothing survives {@link RedisServer.kill9}. */
  readonly appendonly?: 'no' | 'everysec' | 'always';
  /** Data directory, kept on stop. Default: a fresh one under the system's temp directory, removed on stop. */
  readonly dir?: string;
  /** e.g. `'32mb'`; the policy is always noeviction. */
  readonly maxmemory?: string;
  /** Listen on a free loopback port as well (replication needs one). */
  readonly tcp?: boolean;
  /** More command line options, e.g. `['--replicaof', '127.0.0.1 7000']`. */
  readonly args?: readonly string[];
}

/** A real server of one test, reachable by its private unix socket. */
export interface RedisServer {
  /** Path of the unix socket; stays the same over restarts. */
  readonly url: string;
  /** Loopback port, or null without `tcp`. */
  readonly port: number | null;
  readonly dir: string;
  /** Of the running process; changes with every restart. */
  readonly pid: number;
  /** Ends the server in good order and removes its temporary directory. */
  readonly stop: () => Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  readonly kill9: () => Promise<void>;
  /** Starts it again on the same data and the same socket, ending it first (in good order) when it still runs. */
  readonly restart: () => Promise<void>;
}

/**
 * Starts valkey-server or redis-server from PATH and resolves when it answers.
 * @throws when PATH has neither, or the server does not come up: such a test must fail, not skip.
 */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const program = serverProgram();
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'mr-redis-')));
  const socket = join(dir, 'redis.sock');
  const port = options.tcp ? await freePort() : null;
  const args = serverArguments(options, dir, socket, port);
  let running = await launch(program, args, socket);

  const end = async (signal: NodeJS.Signals) => {
    if (running.exitCode !== null || running.signalCode !== null) return;
    const exited = once(running, 'exit');
    running.kill(signal);
    await exited;
  };
  return {
    url: socket,
    port,
    dir,
    get pid() {
      return running.pid as number;
    },
    async stop() {
      await end('SIGTERM');
      if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
    },
    kill9: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM');
      running = await launch(program, args, socket);
    },
  };
}

function serverArguments(o: RedisServerOptions, dir: string, socket: string, port: number | null): string[] {
  const settings: Record<string, string> = {
    port: String(port ?? 0),
    bind: '127.0.0.1',
    unixsocket: socket,
    unixsocketperm: '700',
    dir,
    save: '',
    loglevel: 'warning',
    appendonly: o.appendonly === undefined || o.appendonly === 'no' ? 'no' : 'yes',
    appendfsync: o.appendonly === 'always' ? 'always' : 'everysec',
    maxmemory: o.maxmemory ?? '0',
    'maxmemory-policy': 'noeviction',
  };
  return [...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]), ...(o.args ?? [])];
}

/** valkey-server or redis-server. @throws when PATH has neither */
export function serverProgram(): string {
  for (const name of ['valkey-server', 'redis-server']) {
    for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
      const path = join(folder, name);
      if (folder !== '' && existsSync(path)) return path;
    }
  }
  throw new Error(
    'These tests need a real server: install valkey-server or redis-server (7.0 or newer) so that it is on PATH.',
  );
}

/** Resolves when the process answers PING on its unix socket; it ends with this process at the latest. */
export async function launch(
  program: string,
  args: readonly string[],
  socket: string,
): Promise<ChildProcess> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  const keep = (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-4096);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const endWithTest = () => child.kill('SIGKILL');
  process.once('exit', endWithTest);
  child.once('exit', () => process.off('exit', endWithTest));
  const deadline = performance.now() + 20_000;
  while (!(await answersPing(socket))) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`${program} did not start: ${log}`);
    if (performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${program} did not answer within 20 s: ${log}`);
    }
    await sleep(15);
  }
  return child;
}

/** True when the server answers PONG, which it does not while it still loads its data. */
function answersPing(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    const finish = (answer: boolean) => {
      connection.destroy();
      resolve(answer);
    };
    connection.setTimeout(1_000, () => finish(false));
    connection.once('error', () => finish(false));
    connection.once('data', (reply) => finish(reply.toString().startsWith('+PONG')));
    connection.write('PING\r\n');
  });
}

/** A port of the loopback interface that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No loopback port could be had.');
  return address.port;
}
