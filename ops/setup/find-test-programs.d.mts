/** Folder with `initdb` and `postgres`, 15 or newer, or null. */
export function findPostgresFolder(): string | null;

/** Path of a Chromium that a test may drive, or null. */
export function findChromium(): string | null;
