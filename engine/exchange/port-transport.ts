import type { MessagePort } from 'node:worker_threads';
import type { ExchangePart, PeerTransport } from './peer-transport.ts';

/** To a host in another thread of this process: buffers change hands without being copied. */
export function portTransport(port: MessagePort): PeerTransport {
  const failed = new Promise<never>(() => {});
  return {
    failed,
    send(parts) {
      const buffers = parts.flatMap((part) => ('bytes' in part ? [part.bytes.buffer] : []));
      port.postMessage(parts, buffers);
    },
    listen: (arrived) => void port.on('message', (parts: readonly ExchangePart[]) => arrived(parts)),
    close: async () => port.close(),
  };
}
