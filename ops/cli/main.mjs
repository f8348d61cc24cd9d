#!/usr/bin/env node
import { enableCompileCache } from 'node:module';

// What a command loads was compiled by the one before it. Modules are loaded after this, and this is plain JavaScript: a first file in
// TypeScript would load the stripper of types, which takes 60 ms and 18 MB.
enableCompileCache();
await import('./run-command.ts');
