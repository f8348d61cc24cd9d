import { execFileSync } from 'node:child_process';

/** Where servers listen, and from where workers reach them. */
export interface ChaosNetwork {
  /** Address that servers bind to and that everybody reaches them by. */
  readonly host: string;
  /** Prefix of the command of the worker in place `place`, 0 … PLACES_MAX − 1. */
  readonly prefix: (place: number) => readonly string[];
  /** Why cables cannot be pulled; null when they can. */
  readonly noCables: string | null;
  readonly cut: (place: number) => void;
  readonly mend: (place: number) => void;
  readonly close: () => void;
}

export const PLACES_MAX = 6;

/**
 * A network namespace per place, each with a cable of its own (veth) to the servers' address, where that is possible: on Linux, as root,
 * with `ip`. Addresses are of 198.18.0.0/15, which RFC 2544 sets aside for tests. Elsewhere everything is on the loopback interface.
 */
export function openNetwork(): ChaosNetwork {
  const tag = process.pid.toString(36).slice(-5);
  const subnet = `198.18.${process.pid % 251}`;
  const host = `${subnet}.1`;
  const space = (place: number) => `mrchaos-${tag}-${place}`;
  const cable = (place: number) => `mrc${tag}p${place}`;
  const close = () => {
    process.off('exit', close);
    for (let place = 0; place < PLACES_MAX; place++) {
      quietly(() => ip('link', 'del', cable(place)));
      quietly(() => ip('netns', 'del', space(place)));
    }
    quietly(() => ip('addr', 'del', `${host}/32`, 'dev', 'lo'));
  };
  process.once('exit', close);
  try {
    ip('addr', 'add', `${host}/32`, 'dev', 'lo');
    for (let place = 0; place < PLACES_MAX; place++) {
      const near = `${subnet}.${4 * place + 5}`;
      const far = `${subnet}.${4 * place + 6}`;
      const there = ['-n', space(place)];
      ip('netns', 'add', space(place));
      ip('link', 'add', cable(place), 'type', 'veth', 'peer', 'name', 'up0', 'netns', space(place));
      ip('addr', 'add', `${near}/30`, 'dev', cable(place));
      ip('link', 'set', cable(place), 'up');
      ip(...there, 'addr', 'add', `${far}/30`, 'dev', 'up0');
      ip(...there, 'link', 'set', 'up0', 'up');
      ip(...there, 'link', 'set', 'lo', 'up');
      ip(...there, 'route', 'add', 'default', 'via', near);
    }
  } catch (error) {
    close();
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    return { host: '127.0.0.1', prefix: () => [], noCables: `${why}`, cut() {}, mend() {}, close() {} };
  }
  return {
    host,
    prefix: (place) => ['ip', 'netns', 'exec', space(place)],
    noCables: null,
    cut: (place) => ip('link', 'set', cable(place), 'down'),
    mend: (place) => ip('link', 'set', cable(place), 'up'),
    close,
  };
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function quietly(run: () => void): void {
  try {
    run();
  } catch {
    // it was not there
  }
}
