import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A real S3 of one test: Ceph's gateway over one monitor and one store in memory. */
export interface Radosgw {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly stop: () => Promise<void>;
}

const PROGRAMS = ['radosgw', 'radosgw-admin', 'ceph', 'ceph-mon', 'ceph-osd', 'ceph-authtool', 'monmaptool'];
const START_MS = 60_000;

/** Which of its programs are missing; Debian has them in radosgw, ceph-mon, ceph-osd and ceph-common. */
export function missingRadosgw(): readonly string[] {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return PROGRAMS.filter((program) => !folders.some((folder) => existsSync(join(folder, program))));
}

/**
 * Starts the gateway on a free loopback port, with one user. Takes about 20 s.
 * @throws when it does not come up within a minute
 */
export async function startRadosgw(): Promise<Radosgw> {
  const cluster = new Cluster(await mkdtemp(join(tmpdir(), 'mr-s3-')));
  try {
    return await cluster.start();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

class Cluster {
  readonly #dir: string;
  readonly #daemons: ChildProcess[] = [];
  readonly #deadline = performance.now() + START_MS;
  readonly #endWithTest = () => this.#daemons.forEach((daemon) => daemon.kill('SIGKILL'));
  #log = '';

  constructor(dir: string) {
    this.#dir = dir;
    process.once('exit', this.#endWithTest);
  }

  async start(): Promise<Radosgw> {
    const [monitor, gateway] = [await freePort(), await freePort()];
    const id = randomUUID();
    await this.#configure(id, monitor);
    await this.#startMonitor(id, monitor);
    await this.#startStore();
    this.#daemon('radosgw', '-n', 'client.admin', `--rgw-frontends=beast endpoint=127.0.0.1:${gateway}`);
    const endpoint = `http://127.0.0.1:${gateway}`;
    await this.#until(async () => (await fetch(endpoint)).ok);
    const credentials = { accessKeyId: 'millrace', secretAccessKey: randomUUID() };
    const { accessKeyId, secretAccessKey } = credentials;
    const keys = [`--access-key=${accessKeyId}`, `--secret-key=${secretAccessKey}`];
    await this.#tool('radosgw-admin', 'user', 'create', '--uid=test', '--display-name=test', ...keys);
    return { endpoint, credentials, stop: () => this.stop() };
  }

  async stop(): Promise<void> {
    process.off('exit', this.#endWithTest);
    for (const daemon of this.#daemons.reverse()) {
      if (daemon.exitCode !== null || daemon.signalCode !== null) continue;
      const exited = once(daemon, 'exit');
      daemon.kill('SIGKILL');
      await exited;
    }
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #configure(id: string, monitor: number): Promise<void> {
    for (const folder of ['mon', 'osd', 'run', 'rgw']) await mkdir(join(this.#dir, folder));
    await writeFile(this.#path('ceph.conf'), configuration(this.#dir, id, monitor));
    const allow = (...caps: string[]) => caps.flatMap((cap) => ['--cap', cap, 'allow *']);
    const key = async (name: string, ...caps: string[]) =>
      run('ceph-authtool', [this.#path('keyring'), '--gen-key', '-n', name, ...allow(...caps)]);
    await run('ceph-authtool', ['--create-keyring', this.#path('keyring')]);
    await key('mon.', 'mon');
    await key('client.admin', 'mon', 'osd', 'mgr');
    await key('osd.0', 'mon', 'osd', 'mgr');
  }

  async #startMonitor(id: string, port: number): Promise<void> {
    const map = this.#path('monmap');
    const address = `[v2:127.0.0.1:${port}/0]`;
    await run('monmaptool', ['--create', '--addv', 'a', address, '--fsid', id, map]);
    const make = ['--mkfs', '-i', 'a', '--monmap', map, '--keyring', this.#path('keyring')];
    await this.#tool('ceph-mon', ...make);
    this.#daemon('ceph-mon', '-i', 'a');
    await this.#until(() => this.#tool('ceph', '--connect-timeout', '2', 'mon', 'stat'));
  }

  async #startStore(): Promise<void> {
    const id = randomUUID();
    await this.#tool('ceph', 'osd', 'new', id);
    await copyFile(this.#path('keyring'), this.#path('osd/keyring'));
    await this.#tool('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', id);
    this.#daemon('ceph-osd', '-i', '0');
    await this.#until(async () => (await this.#tool('ceph', 'osd', 'stat')).includes('1 up'));
    await this.#tool('ceph', 'osd', 'crush', 'add', 'osd.0', '1', 'root=default', 'host=h');
  }

  #daemon(program: string, ...args: readonly string[]): void {
    const daemon = spawn(program, ['-f', '-c', this.#path('ceph.conf'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (chunk: Buffer) => {
      this.#log = (this.#log + chunk.toString()).slice(-4096);
    };
    daemon.stdout.on('data', keep);
    daemon.stderr.on('data', keep);
    this.#daemons.push(daemon);
  }

  async #tool(program: string, ...args: readonly string[]): Promise<string> {
    const { stdout, stderr } = await run(program, ['-c', this.#path('ceph.conf'), ...args], {
      timeout: 30_000,
    });
    return stdout + stderr;
  }

  /** Waits until `works` gives something true without throwing. */
  async #until(works: () => Promise<unknown>): Promise<void> {
    for (;;) {
      if (await works().catch(() => false)) return;
      const dead = this.#daemons.find((daemon) => daemon.exitCode !== null);
      if (dead !== undefined || performance.now() > this.#deadline)
        throw new Error(`Ceph's gateway did not come up: ${this.#log}`);
      await sleep(100);
    }
  }

  #path(name: string): string {
    return join(this.#dir, name);
  }
}

/** One monitor, one store in memory, no copies. The gateway needs cephx. */
function configuration(dir: string, id: string, monitor: number): string {
  return `[global]
fsid = ${id}
mon_host = [v2:127.0.0.1:${monitor}/0]
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 2000
run_dir = ${dir}/run
admin_socket = ${dir}/run/$name.$pid.asok
log_file = ${dir}/run/$name.log
keyring = ${dir}/keyring
[mon]
mon_data = ${dir}/mon
mon_data_avail_crit = 0
auth_allow_insecure_global_id_reclaim = true
[osd]
osd_objectstore = memstore
osd_data = ${dir}/osd
osd_journal =
memstore_device_bytes = 1073741824
osd_class_load_list = *
osd_class_default_list = *
[client.admin]
rgw_data = ${dir}/rgw
rgw_dynamic_resharding = false
`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No loopback port could be had.');
  return address.port;
}
