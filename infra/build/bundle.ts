import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build, formatMessages, type Metafile, type OutputFile, stop } from 'esbuild';
import { CLIENT_FOLDER } from './client-folder.ts';
import { lazyCommonJs } from './lazy-commonjs.ts';
import { PACKAGE_FOLDER } from './package-folder.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** CommonJS dependencies ask for Node's own modules (and the host's core) through `require`, which ES modules lack. */
const REQUIRE_BANNER =
  "import { createRequire as skerryCreateRequire } from 'node:module'; const require = skerryCreateRequire(import.meta.url);";

export interface BundleOptions {
  /** Folder that receives `functions/`; the repository's `dist` unless told. */
  readonly outFolder?: string;
  /** Receives one line on success, and the bundler's warnings. */
  readonly log?: (line: string) => void;
}

export interface BundleResult {
  readonly entries: number;
  /** Size of the code without its source maps. */
  readonly bytes: number;
  readonly milliseconds: number;
  /** The files of this repository that it was made from, relative to the repository. */
  readonly sources: readonly string[];
}

/**
 * Bundles each trigger group (`functions/<group>/index.ts`) to `<outFolder>/functions/<group>.js`, with what the groups
 * share in `chunks/`: cold start is the price of every serverless app, and loading thousands of files is most of it.
 * Files that did not change are left alone and files that are no longer produced are removed last, so that an app
 * that runs from the same folder finds the chunks that it loads lazily.
 *
 * @throws Error with the compiler's messages; what was built before then still stands.
 */
export async function bundleFunctions({
  outFolder = path.join(root, 'dist'),
  log = () => {},
}: BundleOptions = {}): Promise<BundleResult> {
  const startedAt = performance.now();
  const entries = await functionEntries();
  const { outputFiles, metafile, warnings } = await build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir: path.join(outFolder, 'functions'),
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    banner: { js: REQUIRE_BANNER },
    external: ['@azure/functions-core'],
    plugins: [lazyCommonJs],
    define: { SKERRY_REVISION: JSON.stringify(revision()) },
    sourcemap: 'linked',
    sourcesContent: false,
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  await replaceFiles(outFolder, outputFiles);

  for (const warning of await formatMessages(warnings, { kind: 'warning' })) {
    log(warning.trimEnd());
  }
  // esbuild's own process would stay for as long as this one.
  await stop();
  const result = {
    entries: Object.keys(entries).length,
    bytes: codeSize(metafile),
    milliseconds: Math.round(performance.now() - startedAt),
    sources: Object.keys(metafile.inputs).filter((input) => /^(functions|shared)\//.test(input)),
  };
  log(
    `bundled functions: ${result.entries} entries, ${(result.bytes / 1e6).toFixed(1)} MB in ${result.milliseconds} ms`,
  );
  return result;
}

/** The trigger groups: `functions/<group>/index.ts` of each. */
export async function functionEntries(): Promise<Record<string, string>> {
  const folder = path.join(root, 'functions');
  const groups = await readdir(folder, { withFileTypes: true });
  const entries: Record<string, string> = {};
  for (const group of groups) {
    const entry = path.join(folder, group.name, 'index.ts');
    if (group.isDirectory() && existsSync(entry)) {
      entries[group.name] = entry;
    }
  }
  if (Object.keys(entries).length === 0) {
    throw new Error('There is nothing to bundle: no functions/<group>/index.ts was found.');
  }
  return entries;
}

/** The commit that is built; empty where this is no repository. */
function revision(): string {
  return spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? '';
}

async function replaceFiles(outFolder: string, files: readonly OutputFile[]): Promise<void> {
  await Promise.all(files.map(writeIfChanged));
  const produced = new Set(files.map((file) => file.path));
  const present = await readdir(outFolder, { recursive: true, withFileTypes: true });
  const stale = present
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => !produced.has(file) && !isOfOthers(file));
  await Promise.all(stale.map((file) => rm(file, { force: true })));
}

/** `client.ts` and `package.ts` write beside the functions. */
function isOfOthers(file: string): boolean {
  return [CLIENT_FOLDER, PACKAGE_FOLDER].some((folder) => file.startsWith(folder + path.sep));
}

async function writeIfChanged(file: OutputFile): Promise<void> {
  const current = await readFile(file.path).catch(() => undefined);
  if (current?.equals(file.contents)) return;
  await mkdir(path.dirname(file.path), { recursive: true });
  await writeFile(file.path, file.contents);
}

function codeSize(metafile: Metafile): number {
  return Object.entries(metafile.outputs)
    .filter(([name]) => !name.endsWith('.map'))
    .reduce((total, [, output]) => total + output.bytes, 0);
}

// `import.meta.main` would say this, but Node 22 does not know it.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === import.meta.filename) {
  try {
    await bundleFunctions({ log: console.log });
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
