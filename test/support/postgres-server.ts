import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';

/** A private PostgreSQL cluster of one test: unix socket only, no TCP. */
export interface PostgresServer {
  /** Stays the same over restarts. */
  readonly url: string;
  /** Of the postmaster; changes with every start. */
  readonly pid: number;
  /** Ends the cluster and removes its files. */
  readonly stop: () => Promise<void>;
  /** SIGKILL of the postmaster; its children notice and end. */
  readonly kill9: () => Promise<void>;
  /** Starts it again on the same data. */
  readonly start: () => Promise<void>;
}

/** @throws when PostgreSQL is not installed or does not come up: such a test must fail, not skip. */
export async function startPostgres(): Promise<PostgresServer> {
  const bin = await binaries();
  const dir = await mkdtemp(join(tmpdir(), 'mr-pg-'));
  const data = join(dir, 'data');
  await mkdir(data);
  const owner = await ownerOf(dir, data);
  await run(
    ...owner.command(join(bin, 'initdb'), [
      '-D',
      data,
      '-U',
      'postgres',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--no-sync',
      '--no-locale',
    ]),
  );
  const url = `postgres://postgres@localhost/postgres?host=${encodeURIComponent(dir)}`;
  let postmaster = await launch(...owner.command(join(bin, 'postgres'), serverArguments(data, dir)), url);

  const end = async (signal: NodeJS.Signals) => {
    if (postmaster.exitCode !== null || postmaster.signalCode !== null) return;
    const exited = once(postmaster, 'exit');
    postmaster.kill(signal);
    await exited;
  };
  return {
    url,
    get pid() {
      return postmaster.pid as number;
    },
    async stop() {
      await end('SIGINT'); // fast shutdown
      await rm(dir, { recursive: true, force: true });
    },
    kill9: () => end('SIGKILL'),
    async start() {
      await end('SIGINT');
      postmaster = await relaunch(() =>
        launch(...owner.command(join(bin, 'postgres'), serverArguments(data, dir)), url),
      );
    },
  };
}

const run = promisify(execFile);

async function binaries(): Promise<string> {
  const root = '/usr/lib/postgresql';
  const versions = (await readdir(root).catch(() => [])).map(Number).filter((version) => version >= 13);
  if (versions.length === 0)
    throw new Error(`These tests need PostgreSQL 13 or newer below ${root}: install postgresql.`);
  return join(root, String(Math.max(...versions)), 'bin');
}

function serverArguments(data: string, socketDir: string): string[] {
  const settings = {
    listen_addresses: '',
    unix_socket_directories: socketDir,
    max_connections: '40',
    shared_buffers: '16MB',
  };
  return ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

interface Owner {
  readonly command: (program: string, args: readonly string[]) => [string, string[]];
}

/** PostgreSQL refuses to run as root: then the user `postgres` of its package owns the cluster. */
async function ownerOf(...folders: readonly string[]): Promise<Owner> {
  if (process.getuid?.() !== 0) return { command: (program, args) => [program, [...args]] };
  const id = async (flag: string) => Number((await run('id', [flag, 'postgres'])).stdout);
  const [uid, gid] = [await id('-u'), await id('-g')];
  for (const folder of folders) await chown(folder, uid, gid);
  // setpriv replaces itself by the program, so that signals reach the postmaster.
  const identity = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
  return { command: (program, args) => ['setpriv', [...identity, program, ...args]] };
}

async function launch(program: string, args: readonly string[], url: string): Promise<ChildProcess> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: tmpdir() });
  let log = '';
  const keep = (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-4096);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const endWithTest = () => child.kill('SIGQUIT');
  process.once('exit', endWithTest);
  child.once('exit', () => process.off('exit', endWithTest));
  const deadline = performance.now() + 30_000;
  while (!(await answers(url))) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`PostgreSQL did not start: ${log}`);
    if (performance.now() > deadline) {
      child.kill('SIGQUIT');
      throw new Error(`PostgreSQL did not answer within 30 s: ${log}`);
    }
    await sleep(50);
  }
  return child;
}

/** After a SIGKILL the old children hold the shared memory until they notice. */
async function relaunch(start: () => Promise<ChildProcess>): Promise<ChildProcess> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      if (attempt >= 50 || !String(error).includes('shared memory')) throw error;
      await sleep(100);
    }
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
