#!/usr/bin/env node
// What `npx skerry` links is this file, which is always there: npm links nothing for one that is yet to be built, and never looks again.
import { existsSync } from 'node:fs';
import { enableCompileCache } from 'node:module';

const built = new URL('../../dist/client/skerry.js', import.meta.url);
if (existsSync(built)) {
  // Compiled code that is kept spares a command a quarter of its computing.
  enableCompileCache();
  await import(built.href);
} else {
  console.error('skerry: The command line is not built. Run "npm run build" first.');
  process.exitCode = 1;
}
