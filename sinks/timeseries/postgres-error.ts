/**
 * What an error of PostgreSQL means for the batch that met it:
 * `transient` – the same batch may work later; `row` – one of its rows will never be taken;
 * `refused` – a person must change something first; `other` – only a fresh attempt may help.
 * Codes are SQLSTATEs (PostgreSQL manual, appendix A).
 */
export type PostgresFailure = 'transient' | 'row' | 'refused' | 'other';

export function postgresFailure(error: unknown): PostgresFailure {
  const state = sqlState(error);
  if (state === null) return 'transient'; // no answer of the server: the connection, or a timeout of ours
  if (TRANSIENT.has(state) || TRANSIENT.has(state.slice(0, 2))) return 'transient';
  if (ROW.has(state) || ROW.has(state.slice(0, 2))) return 'row';
  if (GONE.has(state)) return 'other';
  return REFUSED.has(state.slice(0, 2)) ? 'refused' : 'other';
}

/** The five-character code of an answer of the server, or null when there was none. */
function sqlState(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('code' in error)) return null;
  const { code } = error;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in error ? code : null;
}

const TRANSIENT: ReadonlySet<string> = new Set([
  '08', // connection
  '53', // no disk, memory or connections left
  '40001', // serialisation
  '40P01', // deadlock
  '55P03', // lock not available
  '57P01', // shutting down
  '57P02', // crashed
  '57P03', // starting up
  '57P05', // idle session ended
  '57014', // statement timeout
  '25P03', // idle in transaction for too long
  '25006', // read only: a standby, before or after a fail-over
]);

const ROW: ReadonlySet<string> = new Set([
  '22', // a value that its column cannot hold
  '23', // a constraint
  '54000', // e.g. an index row that is too long
]);

/** Somebody dropped the table or a column under us; a fresh attempt makes it again. */
const GONE: ReadonlySet<string> = new Set(['42P01', '42703']);

const REFUSED: ReadonlySet<string> = new Set([
  '28', // authorisation
  '3D', // no such database
  '3F', // no such schema
  '42', // permissions, names
]);
