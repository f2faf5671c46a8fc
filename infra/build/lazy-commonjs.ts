import { readFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from 'esbuild';

const NAMESPACE = 'lazy-commonjs';

/**
 * Gives `await import('a-commonjs-package')` the named exports that it has in Node. With splitting, esbuild turns such a package into a
 * chunk that exports only `default`, so that code which runs unbundled finds `undefined` once it is bundled.
 */
export const lazyCommonJs: Plugin = {
  name: NAMESPACE,
  setup(build) {
    build.onResolve(
      { filter: /^[^./]/ },
      async ({ path: specifier, kind, importer, resolveDir, namespace }) => {
        if (kind !== 'dynamic-import' || namespace === NAMESPACE || importer.includes('node_modules')) return;
        const resolved = await build.resolve(specifier, { kind: 'import-statement', importer, resolveDir });
        if (resolved.external || resolved.errors.length > 0 || !(await isCommonJs(resolved.path))) return;
        return { path: resolved.path, namespace: NAMESPACE };
      },
    );

    build.onLoad({ filter: /.*/, namespace: NAMESPACE }, async ({ path: file }) => {
      const names = Object.keys(await import(pathToFileURL(file).href)).filter(isNamedExport);
      const source = JSON.stringify(file);
      return {
        contents: `export default require(${source}); export { ${names.join(', ')} } from ${source};`,
        resolveDir: path.dirname(file),
      };
    });
  },
};

async function isCommonJs(file: string): Promise<boolean> {
  if (/\.[cm]js$/.test(file)) return file.endsWith('.cjs');
  const manifest = findPackageJSON(pathToFileURL(file));
  return manifest === undefined || JSON.parse(await readFile(manifest, 'utf8')).type !== 'module';
}

function isNamedExport(name: string): boolean {
  return name !== 'default' && /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name);
}
