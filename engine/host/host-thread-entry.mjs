import { enableCompileCache } from 'node:module';

// What a thread loads was compiled by the one before it: a host starts in a quarter of the time. Modules are loaded after this, and this is
// plain JavaScript: a first file in TypeScript would load the stripper of types, which takes 60 ms and 18 MB.
enableCompileCache();
await import('./host-thread.ts');
