// Runs after `npm install`: makes `node` in npm scripts the pinned Node 24, because npm 10 links no
// binary when several optional platform packages declare the same one, and the system's Node may be older.
// Where no platform package was installed, the system's own Node is used (require-node.mjs checks its version).
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const windows = process.platform === 'win32';
const root = path.resolve(import.meta.dirname, '../..');
const platformPackage = `node-${windows ? 'win' : process.platform}-${process.arch}`;
const binary = path.join(root, 'node_modules', platformPackage, 'bin', windows ? 'node.exe' : 'node');

if (existsSync(binary)) {
  const binFolder = path.join(root, 'node_modules', '.bin');
  mkdirSync(binFolder, { recursive: true });
  if (windows) {
    writeFileSync(path.join(binFolder, 'node.cmd'), `@"${binary}" %*\r\n`);
  } else {
    const link = path.join(binFolder, 'node');
    rmSync(link, { force: true });
    symlinkSync(path.relative(binFolder, binary), link);
    chmodSync(binary, 0o755);
  }
}
