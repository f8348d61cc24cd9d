import type { FastifyRequest } from 'fastify';
import { MillraceError } from '../../engine/base/errors.ts';

/** Probes and scrapers name hosts of their own and change nothing. */
const OPEN_PATHS: readonly string[] = ['/livez', '/readyz', '/metrics'];
const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])$/i;

/**
 * There is no log-in: the API listens on loopback only, and everyone on the machine may use it. What must still be kept
 * out are web pages in a local browser: by DNS rebinding (their Host is not loopback) or by cross-site requests (their
 * Origin is not ours). Both are refused on every path but probes and metrics, WebSocket upgrades included.
 * @throws MR_API_FORBIDDEN
 */
export function guardHost(request: FastifyRequest): void {
  const [path] = request.url.split('?', 1);
  if (path !== undefined && OPEN_PATHS.includes(path)) return;
  const host = request.headers.host ?? '';
  if (!LOOPBACK.test(hostName(host))) {
    throw new MillraceError(
      'MR_API_FORBIDDEN',
      `Host "${host.slice(0, 128)}" is not this machine. Use http://127.0.0.1:<port>; there is no log-in, so the API answers loopback names only.`,
    );
  }
  const origin = request.headers.origin;
  if (origin !== undefined && origin !== `http://${host}`) {
    throw new MillraceError(
      'MR_API_FORBIDDEN',
      `Pages of ${origin.slice(0, 128)} may not use this API; only its own page may.`,
    );
  }
}

function hostName(host: string): string {
  return host.replace(/:\d{1,5}$/, '');
}
