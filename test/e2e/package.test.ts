import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packageFunctions } from '../../infra/build/package.ts';
import { type FunctionsHost, startFunctionsHost } from './functions-host.ts';

let folder: string;
let host: FunctionsHost;

/** Outside the repository, so that nothing is found in its node_modules; without the cloud, which the package does not depend on. */
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'skerry-package-'));
  await packageFunctions(folder);
  host = await startFunctionsHost({ app: folder });
});

afterAll(async () => {
  await host?.stop();
  await rm(folder, { recursive: true });
});

test('the package runs by itself, with all that it loads at first use', async () => {
  expect((await fetch(`${host.url}/api/v1/health/live`)).status).toBe(200);
  const ready = await fetch(`${host.url}/api/v1/health/ready`);
  expect(ready.status).toBe(503);
  // Each was asked by its SDK, which found nobody; one that is missing would say ERR_MODULE_NOT_FOUND.
  const { dependencies } = (await ready.json()) as { dependencies: Record<string, { detail: string }> };
  const details = Object.values(dependencies).map(({ detail }) => detail);
  expect(details).toHaveLength(3);
  for (const detail of details) expect(detail).not.toMatch(/ERR_|TypeError|ReferenceError/);
});

test('the host is told where its triggers come from, which are no part of it', async () => {
  const { extensionBundle } = JSON.parse(await readFile(path.join(folder, 'host.json'), 'utf8'));
  expect(extensionBundle).toEqual({
    id: 'Microsoft.Azure.Functions.ExtensionBundle',
    version: '[4.*, 5.0.0)',
  });
});

test('it is the bundle alone, with nothing to install', async () => {
  expect((await readdir(folder)).toSorted()).toEqual(['dist', 'host.json', 'package.json']);
  const manifest = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
  expect(Object.keys(manifest)).toEqual(['name', 'version', 'private', 'type', 'main']);
  const files = await readdir(folder, { recursive: true });
  expect(files.filter((file) => file.endsWith('.map') || file.includes('node_modules'))).toEqual([]);
});

/** What most requests, or most apps, never need: it would be part of each cold start. */
const FOR_LATER = [
  '@azure/identity',
  '@azure/keyvault-secrets',
  '@azure/monitor-opentelemetry-exporter',
  '@azure/msal-node',
  '@azure/service-bus',
  '@azure/storage-blob',
  '@opentelemetry/api',
  '@opentelemetry/exporter-trace-otlp-http',
  '@opentelemetry/sdk-metrics',
  'ajv',
  'jose',
  'undici',
  'yaml',
];

test('a start loads nothing that is for later', async () => {
  const functions = path.resolve('dist/functions');
  const entries = (await readdir(functions)).filter((file) => file.endsWith('.js'));
  const [first, all] = [new Set<string>(), new Set<string>()];
  const loaded = entries.map((entry) => path.join(functions, entry));
  // What is found on the way is gone through as well.
  for (const file of loaded) {
    for (const [, chunk = ''] of (await readFile(file, 'utf8')).matchAll(
      /^(?:import|\} from) ?"(\.[^"]+)";/gm,
    )) {
      const next = path.resolve(path.dirname(file), chunk);
      if (!loaded.includes(next)) loaded.push(next);
    }
    for (const name of await packagesOf(file)) first.add(name);
  }
  for (const chunk of await readdir(path.join(functions, 'chunks'))) {
    if (chunk.endsWith('.js'))
      for (const name of await packagesOf(path.join(functions, 'chunks', chunk))) all.add(name);
  }
  expect(first).toContain('@azure/cosmos');
  expect(FOR_LATER.filter((name) => first.has(name))).toEqual([]);
  expect(FOR_LATER.filter((name) => !all.has(name))).toEqual([]);
});

/** What a bundled file was made from, by the map beside it. */
async function packagesOf(file: string): Promise<Iterable<string>> {
  const { sources } = JSON.parse(await readFile(`${file}.map`, 'utf8')) as { sources: readonly string[] };
  return sources.flatMap((source) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? []);
}
