#!/usr/bin/env node
import { enableCompileCache } from 'node:module';

// What a command loads was compiled by the one before it. Modules are loaded after this.
enableCompileCache();
await import('./run-command.ts');
