/** A name as PostgreSQL takes it whatever it holds. The client has the same, and is loaded only when a table is written to. */
export const quotedName = (name: string): string => `"${name.replaceAll('"', '""')}"`;
