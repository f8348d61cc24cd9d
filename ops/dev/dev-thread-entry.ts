import { enableCompileCache } from 'node:module';

// Loaded as compiled by the thread before. Modules are loaded after this.
enableCompileCache();
await import('./dev-thread.ts');
