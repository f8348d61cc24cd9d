import type { WriteStream } from 'node:tty';
import type { Clock } from '#wire';

/** Where a person watches: lines that stay, and one line of status that is replaced. */
export interface StatusDisplay {
  readonly line: (text: string) => void;
  readonly status: (text: string) => void;
  readonly end: () => void;
}

/** Without a terminal the status is a plain line, this often. */
const PLAIN_EVERY_MS = 5_000;
const CLEAR_LINE = '\r\u001B[2K';

export type Screen = Pick<WriteStream, 'write'> & { readonly isTTY?: boolean; readonly columns?: number };

export function statusDisplay(screen: Screen, clock: Clock): StatusDisplay {
  return screen.isTTY === true ? terminalDisplay(screen) : plainDisplay(screen, clock);
}

function terminalDisplay(screen: Screen): StatusDisplay {
  let shown = '';
  return {
    line(text) {
      screen.write(`${shown === '' ? '' : CLEAR_LINE}${text}\n${shown}`);
    },
    status(text) {
      shown = text.slice(0, (screen.columns ?? 80) - 1);
      screen.write(`${CLEAR_LINE}${shown}`);
    },
    end() {
      if (shown !== '') screen.write('\n');
      shown = '';
    },
  };
}

function plainDisplay(screen: Screen, clock: Clock): StatusDisplay {
  let writtenAt = Number.NEGATIVE_INFINITY;
  return {
    line: (text) => screen.write(`${text}\n`),
    status(text) {
      if (clock.monotonic() - writtenAt < PLAIN_EVERY_MS) return;
      writtenAt = clock.monotonic();
      screen.write(`${text}\n`);
    },
    end() {},
  };
}
