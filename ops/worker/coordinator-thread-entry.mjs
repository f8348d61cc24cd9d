import { enableCompileCache } from 'node:module';

// Loaded as compiled by the coordinator before, and in JavaScript for the reason that ops/cli/main.mjs gives. Modules are loaded after this.
enableCompileCache();
await import('./coordinator-thread.ts');
