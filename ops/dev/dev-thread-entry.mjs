import { enableCompileCache } from 'node:module';

// Loaded as compiled by the thread before, and in JavaScript for the reason that ops/cli/main.mjs gives. Modules are loaded after this.
enableCompileCache();
await import('#operators'); // every job imports them: they are there before it is known where its Redis is
await import('./dev-thread.ts');
