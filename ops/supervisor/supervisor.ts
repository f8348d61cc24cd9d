import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Clock, MillraceError, type Random } from '#wire';
import { DEMO_FLEET } from '../../jobs/device-telemetry/demo-devices.ts';
import { findRedisServer, REDIS_NEEDED } from '../setup/find-redis.mjs';
import { type EngineMessage, isEngineMessage } from './engine-message.ts';
import { takeInstanceLock } from './instance-lock.ts';
import { KeptProcess, type KeptProcessOptions } from './kept-process.ts';
import { progressLine } from './progress-line.ts';
import { endLeftServer, redisAddress, redisAnswers } from './redis-address.ts';
import { redisArguments } from './redis-arguments.ts';
import { folders, type SupervisorSettings } from './settings.ts';
import type { StatusDisplay } from './status-display.ts';

export interface SupervisorOptions {
  readonly settings: SupervisorSettings;
  readonly display: StatusDisplay;
  readonly clock: Clock;
  readonly random: Random;
}

/** Longest times to stop; together just under ten seconds. The forwarder cuts itself off after two. */
const STOP_MS = { forwarder: 2_500, engine: 5_000, redis: 2_000 } as const;
/** A large append-only file takes its time to load. */
const REDIS_START_MS = 60_000;
const LEFT_REDIS_STOP_MS = 10_000;

/**
 * Runs Redis, the engine and the forwarder as child processes and starts again what ends.
 * Owns the folder's lock and the children. Suspension points: {@link run}, between its steps.
 *
 * SV1 started in the order Redis, engine, forwarder, each once the one before it answers; stopped in the reverse order,
 *     so that what was taken in is checkpointed and what was checkpointed is on disk.
 * SV2 when `run` ends, in whatever way, no child is left.
 * SV3 the address stays the same while we run: an engine that is started again listens on the port it had.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #children: KeptProcess[] = [];
  readonly #ending = new AbortController();
  #port: number | null = null;
  #why: string | null = null;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Resolves when all has ended. @returns the exit code. @throws MR_OPS_START, MR_CONFIG_INVALID */
  async run(): Promise<number> {
    const { settings, display } = this.#options;
    mkdirSync(settings.directory, { recursive: true });
    const lock = takeInstanceLock(folders(settings).lock);
    try {
      await this.#start();
      await aborted(this.#ending.signal);
    } finally {
      display.end();
      await this.#stopChildren();
      lock.release();
    }
    if (this.#why !== null) throw new MillraceError('MR_OPS_START', this.#why);
    return 0;
  }

  /** Begins to end; `run` resolves when it is done. */
  stop(): void {
    this.#ending.abort();
  }

  /** Kills the children at once. */
  kill(): void {
    for (const child of this.#children) child.kill();
  }

  async #start(): Promise<void> {
    const redisUrl = this.#options.settings.redisUrl ?? (await this.#startRedis());
    if (this.#ending.signal.aborted) return;
    const port = await this.#startEngine(redisUrl);
    if (port === null) return;
    this.#options.display.line(`Millrace runs: http://127.0.0.1:${port}   (Ctrl-C stops it)`);
    this.#startForwarder(redisUrl);
  }

  async #startRedis(): Promise<string> {
    const { settings, clock, display } = this.#options;
    const server = findRedisServer();
    if (server === null) {
      throw new MillraceError(
        'MR_OPS_START',
        `No ${REDIS_NEEDED} was found. Install one, e.g. "apt-get install redis-server", or name a running one: REDIS_URL=redis://host:6379 npm start.`,
      );
    }
    const folder = folders(settings).redis;
    const address = await redisAddress(folder);
    await endLeftServer(address, folder, LEFT_REDIS_STOP_MS, clock);
    const args = redisArguments(address, folder);
    this.#keep({ name: 'redis', program: server.program, args, ipc: false, stopMs: STOP_MS.redis }).start();
    await redisAnswers(address, REDIS_START_MS, clock, this.#ending.signal);
    display.line(`${server.product} ${server.version} keeps its data in ${folder}`);
    return address.url;
  }

  /** Resolves with the port of the admin API, or null when it is time to end before there is one. */
  #startEngine(redisUrl: string): Promise<number | null> {
    const { settings, display } = this.#options;
    const { promise, resolve } = Promise.withResolvers<number | null>();
    this.#ending.signal.addEventListener('abort', () => resolve(null), { once: true });
    const onMessage = (message: EngineMessage) => {
      if (message.kind === 'progress') display.status(progressLine(message.progress));
      else resolve((this.#port = message.port));
    };
    this.#keep({
      name: 'engine',
      program: process.execPath,
      args: () => {
        const port = ['--port', String(this.#port ?? settings.port)];
        const fixed = settings.portFixed || this.#port !== null ? ['--port-fixed'] : []; // SV3
        return [
          program('../engine-process.ts'),
          '--data',
          settings.directory,
          '--demo-devices',
          ...port,
          ...fixed,
        ];
      },
      env: { REDIS_URL: redisUrl, MILLRACE_NAMESPACE: settings.namespace },
      ipc: true,
      stopMs: STOP_MS.engine,
      onMessage: (message) => isEngineMessage(message) && onMessage(message),
    }).start();
    return promise;
  }

  #startForwarder(redisUrl: string): void {
    const { settings } = this.#options;
    const { devices, tenants, sitesPerTenant, rate, lateShare } = DEMO_FLEET;
    const where = [
      '--redis',
      redisUrl,
      '--namespace',
      settings.namespace,
      '--topic',
      'telemetry',
      '--producer',
      'gateway-1',
    ];
    const fleet = [
      '--devices',
      devices,
      '--tenants',
      tenants,
      '--sites',
      sitesPerTenant,
      '--rate',
      rate,
      '--late-share',
      lateShare,
    ];
    this.#keep({
      name: 'forwarder',
      program: process.execPath,
      args: [
        '--import',
        program('./end-with-parent.ts'),
        program('../../edge-forwarder/main.ts'),
        ...where,
        '--outbox',
        folders(settings).outbox,
        '--stats-file',
        join(settings.directory, 'forwarder.json'),
        ...fleet.map(String),
        'fleet',
      ],
      ipc: true,
      stopMs: STOP_MS.forwarder,
    }).start();
  }

  #keep(options: Omit<KeptProcessOptions, 'clock' | 'random' | 'say' | 'onGiveUp'>): KeptProcess {
    const { clock, random, display } = this.#options;
    const child = new KeptProcess({
      ...options,
      clock,
      random,
      say: (line) => display.line(`${options.name}: ${line}`),
      onGiveUp: (why) => {
        this.#why = `The ${options.name} is not started again: ${why}.`;
        this.stop();
      },
    });
    this.#children.push(child);
    return child;
  }

  async #stopChildren(): Promise<void> {
    for (const child of this.#children.toReversed()) await child.stop(); // SV1, SV2
  }
}

function program(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
