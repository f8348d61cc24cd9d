import { errorText, MillraceError } from '../../engine/base/errors.ts';
import type { TypedServer } from './job-routes.ts';

const PORTS_TRIED = 20;

/**
 * Listens on 127.0.0.1 and answers the port.
 * @param port first choice; 0 takes any free one
 * @param fixed true: this port or none, because somebody asked for it by name; false: the next free one of 20
 * @throws MR_OPS_START when none is free or the port may not be used
 */
export async function listenOnLoopback(server: TypedServer, port: number, fixed: boolean): Promise<number> {
  const last = fixed || port === 0 ? port : port + PORTS_TRIED - 1;
  for (let candidate = port; ; candidate++) {
    try {
      await server.listen({ host: '127.0.0.1', port: candidate });
      const address = server.server.address();
      return typeof address === 'object' && address !== null ? address.port : candidate;
    } catch (error) {
      const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (taken && candidate < last) continue;
      const what = taken
        ? `Port ${fixed ? port : `${port} to ${last}`} is in use`
        : `Port ${candidate} cannot be used: ${errorText(error)}`;
      throw new MillraceError('MR_OPS_START', `${what}. Choose another one: PORT=9000 npm start.`, {
        cause: error,
      });
    }
  }
}
