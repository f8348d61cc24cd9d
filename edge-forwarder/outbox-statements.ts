import type { DatabaseSync, StatementSync } from 'node:sqlite';

export type OutboxStatements = ReturnType<typeof prepareStatements>;

/** Every statement that the outbox runs on its tables (outbox-database.ts), prepared once. */
export function prepareStatements(database: DatabaseSync) {
  const sql = (text: string): StatementSync => database.prepare(text);
  return {
    insertFrame: sql('INSERT INTO frame (partition, first, last, bytes) VALUES (?, ?, ?, ?)'),
    readFrames: sql(
      'SELECT first, last, bytes FROM frame WHERE partition = ? AND first >= ? ORDER BY first LIMIT ?',
    ),
    frameBytes: sql(
      'SELECT sum(length(bytes)) AS bytes FROM frame WHERE partition = ? AND first >= ? AND first < ?',
    ),
    deleteFrames: sql('DELETE FROM frame WHERE partition = ? AND first < ?'),
    oldestFrames: sql('SELECT partition, last, length(bytes) AS bytes FROM frame ORDER BY id'),
    nthFrame: sql(
      'SELECT first FROM frame WHERE partition = ? AND first >= ? ORDER BY first LIMIT 1 OFFSET ?',
    ),
    front: sql('SELECT min(first) AS first FROM frame WHERE partition = ?'),
    readLanes: sql('SELECT partition, epoch, gap_from, confirmed_to, next FROM lane'),
    writeLane: sql(
      'INSERT OR REPLACE INTO lane (partition, epoch, gap_from, confirmed_to, next) VALUES (?, ?, ?, ?, ?)',
    ),
    pages: sql('PRAGMA page_count'),
    freePages: sql('PRAGMA freelist_count'),
    readInput: sql('SELECT origin, position FROM input WHERE name = ?'),
    writeInput: sql('INSERT OR REPLACE INTO input (name, origin, position) VALUES (?, ?, ?)'),
    readFact: sql('SELECT value FROM fact WHERE name = ?'),
    writeFact: sql('INSERT OR REPLACE INTO fact (name, value) VALUES (?, ?)'),
  };
}
