import { mkdir, mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');

export type Installed = 'skerry' | 'zod' | '@azure/service-bus';

/** Makes the folder of somebody who has installed these packages; Skerry itself is the one as it was last built. */
export async function makeUserFolder(...packages: readonly Installed[]): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'skerry-user-'));
  const modules = path.join(folder, 'node_modules');
  await writeFile(path.join(folder, 'package.json'), '{"type":"module"}');
  for (const name of packages) {
    const target = name === 'skerry' ? root : path.join(root, 'node_modules', name);
    const link = path.join(modules, name);
    await mkdir(path.dirname(link), { recursive: true });
    await symlink(target, link);
  }
  return folder;
}
