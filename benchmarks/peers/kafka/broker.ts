import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { classPath } from '../maven.ts';

/** A Kafka broker of one run, with its data in a folder of its own. */
export interface Broker {
  /** Host and port that clients connect to. */
  readonly address: string;
  readonly pid: number;
  /** For what the run keeps; removed with the broker. */
  readonly folder: string;
  /** Aborts when the broker ends. */
  readonly signal: AbortSignal;
}

/** README.md says why. */
const JVM_FLAGS = [
  '-Xms1g',
  '-Xmx1g',
  '-XX:+UseParallelGC',
  '-XX:ParallelGCThreads=2',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
];
const STOP_TIMEOUT_MS = 20_000;

/**
 * Gives a run a broker of its own. However the run ends, the broker's process does too, and its folder is gone; it also ends by itself
 * when this process does.
 *
 * @throws when the broker ends before the run
 */
export async function withBroker<Result>(run: (broker: Broker) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-kafka-'));
  try {
    const [port, controllerPort] = await freePorts(2);
    const args = [folder, port, controllerPort].map(String);
    const command = [
      ...JVM_FLAGS,
      '-cp',
      classPath(import.meta.dirname),
      'millrace.bench.KafkaBroker',
      ...args,
    ];
    const broker = spawn('java', command, { stdio: ['pipe', 'ignore', 'inherit'] });
    const ended = untimelyEnd(broker);
    try {
      await once(broker, 'spawn');
      const { pid } = broker as { readonly pid: number };
      const { signal } = ended;
      return await Promise.race([run({ address: `127.0.0.1:${port}`, pid, folder, signal }), ended.failure]);
    } finally {
      await stop(broker);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Fails and aborts when the broker ends. */
function untimelyEnd(broker: ChildProcess) {
  const controller = new AbortController();
  const failure = once(broker, 'exit').then(([code, signal]) => {
    controller.abort();
    throw new Error(`The Kafka broker ended with ${code ?? signal}.`);
  });
  failure.catch(() => {});
  return { signal: controller.signal, failure };
}

async function stop(broker: ChildProcess): Promise<void> {
  if (broker.pid === undefined || broker.exitCode !== null || broker.signalCode !== null) return;
  const exit = once(broker, 'exit');
  const late = setTimeout(() => broker.kill('SIGKILL'), STOP_TIMEOUT_MS);
  broker.kill('SIGTERM');
  await exit;
  clearTimeout(late);
}

/** Ports of loopback that nobody listens on now. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
