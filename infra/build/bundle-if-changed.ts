import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type BundleOptions, bundleFunctions, functionEntries } from './bundle.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** Relative to the repository: what decides on a bundle besides its sources. The lock file stands for all dependencies. */
const TOOLING = ['package-lock.json', 'infra/build/bundle.ts', 'infra/build/lazy-commonjs.ts'];

interface Inputs {
  readonly entries: readonly string[];
  /** Time of the last change and size of each file. */
  readonly stamps: Readonly<Record<string, string>>;
}

/** Bundles the functions unless nothing changed since this did it last: bundling takes longer than everything else at a start. */
export async function bundleIfChanged({
  outFolder = path.join(root, 'dist'),
  log = () => {},
}: BundleOptions = {}): Promise<void> {
  // Every bundle clears its folder, so that a record always belongs to the files beside it.
  const recordFile = path.join(outFolder, 'inputs.json');
  if (await isCurrent(recordFile)) {
    log('bundled functions: unchanged');
    return;
  }
  const startedAt = Date.now();
  const { sources } = await bundleFunctions({ outFolder, log });
  const files = await stamps([...sources, ...TOOLING]);
  const changedMeanwhile = Object.values(files).some((stamp) => Number.parseFloat(stamp) >= startedAt);
  if (changedMeanwhile) return;
  const inputs: Inputs = { entries: Object.keys(await functionEntries()), stamps: files };
  await writeFile(recordFile, JSON.stringify(inputs));
}

async function isCurrent(recordFile: string): Promise<boolean> {
  try {
    const recorded: Inputs = JSON.parse(await readFile(recordFile, 'utf8'));
    const current: Inputs = {
      entries: Object.keys(await functionEntries()),
      stamps: await stamps(Object.keys(recorded.stamps)),
    };
    return JSON.stringify(current) === JSON.stringify(recorded);
  } catch {
    // No record, or a file that it names is gone: the build says what is wrong, if anything is.
    return false;
  }
}

async function stamps(files: readonly string[]): Promise<Record<string, string>> {
  const pairs = files.map(async (file) => {
    const { mtimeMs, size } = await stat(path.join(root, file));
    return [file, `${mtimeMs} ${size}`];
  });
  return Object.fromEntries(await Promise.all(pairs));
}
