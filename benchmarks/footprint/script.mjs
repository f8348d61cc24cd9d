import { enableCompileCache } from 'node:module';

// As the command line does it: what this script loads was compiled by the run before. Modules are loaded after this.
enableCompileCache();
const { runHere } = await import('./run-here.ts');
await runHere(process.argv[2], process.argv[3]);
