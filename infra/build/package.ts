import { realpathSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PACKAGE_FOLDER } from './package-folder.ts';

const root = path.resolve(import.meta.dirname, '../..');

/**
 * Makes the package that is deployed, out of the bundles in `dist`: these hold every dependency, so that it has nothing to install, and
 * nothing is built in Azure. It has no source maps, which the host does not read.
 *
 * @param folder that is emptied first.
 */
export async function packageFunctions(folder = PACKAGE_FOLDER): Promise<void> {
  const { name, version, type, main } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await Promise.all([
    cp(path.join(root, 'dist/functions'), path.join(folder, 'dist/functions'), {
      recursive: true,
      filter: (source) => !source.endsWith('.map'),
    }),
    cp(path.join(root, 'host.json'), path.join(folder, 'host.json')),
    writeFile(
      path.join(folder, 'package.json'),
      `${JSON.stringify({ name, version, private: true, type, main }, undefined, 2)}\n`,
    ),
  ]);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === import.meta.filename) {
  try {
    await packageFunctions();
    console.log(`packaged the functions in ${path.relative(process.cwd(), PACKAGE_FOLDER)}`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
