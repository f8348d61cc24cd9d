import { enableCompileCache } from 'node:module';

// Loaded as compiled by the coordinator before. Modules are loaded after this.
enableCompileCache();
await import('./coordinator-thread.ts');
