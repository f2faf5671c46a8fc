import { execFile } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { chmod, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { CLIENT_FOLDER } from './client-folder.ts';

const root = path.resolve(import.meta.dirname, '../..');

/**
 * Builds what `skerry/client` and `skerry/client/node` mean to their users: modules that run in browsers and in Node from 20 on, and
 * their types; and the command line `skerry`.
 *
 * @throws Error with the compiler's messages.
 */
export async function buildClient(): Promise<void> {
  await rm(CLIENT_FOLDER, { recursive: true, force: true });
  await Promise.all([bundleModules(), bundleCommandLine(), writeTypes()]);
}

async function bundleModules(): Promise<void> {
  await build({
    absWorkingDir: path.join(root, 'client'),
    entryPoints: ['index.ts', 'node/index.ts'],
    outbase: '.',
    outdir: CLIENT_FOLDER,
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    // Both entries share their classes, so that an error of one is an error of the other.
    splitting: true,
    format: 'esm',
    platform: 'neutral',
    external: ['node:*'],
    target: ['node20', 'es2022'],
    sourcemap: 'linked',
    logLevel: 'silent',
  });
}

/** The command `skerry`, in one file that needs nothing installed. */
async function bundleCommandLine(): Promise<void> {
  await build({
    absWorkingDir: path.join(root, 'client/cli'),
    entryPoints: { skerry: 'main.ts' },
    outdir: CLIENT_FOLDER,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    // `yaml` asks for Node's own modules through `require`, which ES modules lack.
    banner: {
      js: "#!/usr/bin/env node\nimport { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'silent',
  });
  await chmod(path.join(CLIENT_FOLDER, 'skerry.js'), 0o755);
}

async function writeTypes(): Promise<void> {
  const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
  try {
    await promisify(execFile)(process.execPath, [compiler, '-p', path.join(root, 'client')]);
  } catch (error) {
    throw new Error(`The client's types cannot be written:\n${(error as { stdout?: string }).stdout}`, {
      cause: error,
    });
  }
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === import.meta.filename) {
  try {
    await buildClient();
    console.log('built the client');
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
