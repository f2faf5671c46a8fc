import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inspectFolder } from '../../../../client/cli/bundle/pulled-folder.ts';
import { arrangeFolders } from '../../../../client/cli/nightjar/arrange-folders.ts';
import { writeDescriptor } from '../../../../client/cli/nightjar/descriptor.ts';
import {
  type Activity,
  createSubject,
  type Entity,
  type EntityFilter,
  pathOf,
} from '../../../../client/cli/nightjar/entity.ts';
import { pushEntities } from '../../../../client/cli/nightjar/push-entities.ts';
import { readFolders } from '../../../../client/cli/nightjar/read-folders.ts';
import { showProgress } from '../../../../client/cli/progress-bar.ts';
import { SkerryClient } from '../../../../client/index.ts';
import { printedSeed, runs } from '../../../integration/seeded-runs.ts';

let folder: string;
let warnings: string[];

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'skerry-nightjar-'));
  warnings = [];
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

const warn = (warning: string) => void warnings.push(warning);

async function write(files: Readonly<Record<string, string | Uint8Array>>, below = folder): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(below, name)), { recursive: true });
    await writeFile(path.join(below, name), content);
  }
}

async function read(activity: Activity = 'template-creation', from = folder) {
  const files = await readFolders(from, { activity, warn });
  return Object.fromEntries(
    await Promise.all(files.map(async (file) => [file.path, await text(file.open())])),
  );
}

async function arrange(activity: Activity, paths: readonly string[], filter: EntityFilter = {}) {
  const target = path.join(folder, 'out');
  await mkdir(target);
  const source = path.join(folder, 'in');
  return await arrangeFolders({ activity, paths, source, target, filter, warn });
}

describe('a folder that is pushed', () => {
  it('is what its folders with descriptors hold, without dot files and inner folders', async () => {
    await write({
      'gateways/templates.json': '{"type":"gateway","namespace":"n1","protection":"public"}',
      'gateways/lds.yaml.mustache': 'one',
      'gateways/.swp': 'no',
      'gateways/inner/cds.yaml': 'no',
      'web/templates.json': '{"type":"service","service":"web"}',
      'web/cds.yaml': 'two',
      'notes/readme.md': 'no descriptor, no templates',
      '.hidden/templates.json': '{"type":"namespace"}',
      '.hidden/cds.yaml': 'no',
      'cds.yaml': 'no',
    });
    expect(await read()).toEqual({
      'gateway/n1/public/lds.yaml.mustache': 'one',
      'service/__default__/web/__default__/cds.yaml': 'two',
    });
    expect(warnings).toEqual([]);
  });

  it('leaves out a folder whose descriptor is invalid, and says so', async () => {
    await write({
      'bad/templates.json': '{"type":"namespace","protection":"hidden"}',
      'bad/cds.yaml': 'no',
      'broken/templates.json': '{',
      'good/templates.json': '{"type":"namespace"}',
      'good/cds.yaml': 'yes',
      'good/Templates.json': 'a purpose that a Mac could not keep beside its descriptor',
    });
    expect(await read()).toEqual({ 'gateway/__default__/default/cds.yaml': 'yes' });
    expect(warnings).toMatchObject([
      expect.stringContaining('bad/templates.json'),
      expect.stringContaining('broken/templates.json'),
      expect.stringContaining('good/Templates.json'),
    ]);
  });

  it('takes the last of several folders that hold the same entity, and says so', async () => {
    await write({
      'a/templates.json': '{"type":"namespace"}',
      'a/cds.yaml': 'first',
      'a/lds.yaml': 'only here',
      'b/templates.json': '{"type":"namespace","protection":"default"}',
      'b/cds.yaml': 'last',
    });
    expect(await read()).toEqual({
      'gateway/__default__/default/cds.yaml': 'last',
      'gateway/__default__/default/lds.yaml': 'only here',
    });
    expect(warnings).toHaveLength(1);
  });

  it.each([
    ['a color without a service', { 'x/templates.json': '{"type":"service","color":"blue"}' }],
    ['no UTF-8', { 'x/cds.yaml': new Uint8Array([0xff]) }],
    ['4 MiB', { 'x/cds.yaml': new Uint8Array(4 * 1024 * 1024) }],
  ])('is refused as a whole for %s', async (_, files) => {
    await write({ 'x/templates.json': '{"type":"namespace"}', ...files });
    await expect(read()).rejects.toThrow('Nothing is pushed.');
  });
});

it('a push marks a folder that was pulled once as what a pull may replace, unless it holds more', async () => {
  const web = { 'web/templates.json': '{"type":"service","service":"web"}', 'web/cds.yaml': 'one' };
  const canonical = writeDescriptor(
    'template-creation',
    createSubject('service', { namespace: null, service: 'web', color: null }),
  );
  const { signal } = new AbortController();
  const client = new SkerryClient({
    url: 'http://skerry',
    fetch: async (_, init) => Response.json(init?.method === 'PUT' ? { version: 2 } : { items: [] }),
  });
  const output = { progress: () => showProgress('', 0, undefined) };
  const push = () =>
    pushEntities('templates', folder, { activity: 'template-creation', warn, client, output, signal });
  await write({ ...web, '.skerry-bundle.json': '{"bundle":"templates","version":1,"digest":""}' });
  await push();
  // Its descriptor says more than a pull would write.
  await expect(inspectFolder(folder, { signal })).rejects.toThrow('was changed');
  await write({ 'web/templates.json': canonical });
  expect(await push()).toMatchObject({ version: { version: 2 }, count: 1 });
  expect(await inspectFolder(folder, { signal })).toMatchObject({ bundle: 'templates', version: 2 });
  await write({ 'web/.notes': 'nowhere else' });
  await push();
  await expect(inspectFolder(folder, { signal })).rejects.toThrow('was changed');
});

describe('a version that is pulled', () => {
  it('leaves out what is no entity, and says so', async () => {
    const paths = [
      'gateway/n/public/cds.yaml',
      'readme.md',
      'gateway/n/public/.hidden',
      'gateway/n/public/templates.json',
    ];
    await write(Object.fromEntries(paths.map((each) => [each, each])), path.join(folder, 'in'));
    await arrange('template-creation', paths);
    expect(await readdir(path.join(folder, 'out'), { recursive: true })).toHaveLength(3);
    expect(warnings).toHaveLength(3);
  });

  it('is cut down by a filter without a change of names', async () => {
    const paths = ['service/a-b/c/d/cds.yaml', 'service/a/b-c/d/cds.yaml', 'service/a/b-c/d/lds.yaml'];
    await write(Object.fromEntries(paths.map((each) => [each, each])), path.join(folder, 'in'));
    await arrange('template-creation', paths, { namespace: 'a', purpose: 'lds.yaml' });
    const [name = '', ...more] = await readdir(path.join(folder, 'out'));
    expect(more).toEqual([]);
    expect(name).toMatch(/^service-a-b-c-d~/);
    expect(await readdir(path.join(folder, 'out', name))).toEqual(['lds.yaml', 'templates.json']);
    expect(JSON.parse(await readFile(path.join(folder, 'out', name, 'templates.json'), 'utf8'))).toEqual({
      type: 'service-color',
      namespace: 'a',
      service: 'b-c',
      color: 'd',
    });
  });

  const name = fc.constantFrom('a', 'b', 'a-b', 'b-a', 'default', 'ä', 'x y', 'n.');
  const mayBeNull = fc.option(name);
  const protection = fc.constantFrom('public', 'private');
  const purpose = fc.constantFrom('cds.yaml', 'lds.yaml.mustache', 'configured.json');
  const template = fc.oneof(
    fc
      .record({ namespace: mayBeNull, protection: fc.option(protection) })
      .map((fields) => createSubject('namespace', fields)),
    fc
      .record({ namespace: mayBeNull, service: name, color: mayBeNull })
      .map((fields) => createSubject('service', fields)),
  );
  const configured = fc.oneof(
    fc.record({ namespace: name, protection }).map((fields) => createSubject('gateway', fields)),
    fc
      .record({ namespace: name, service_id: name, service: name, color: name })
      .map((fields) => createSubject('service_id', fields)),
  );

  it.each([
    ['template-creation', template, purpose],
    ['proxy-configuration', configured, fc.constantFrom('cds.yaml', 'templates.json')],
  ] as const)('of %s is pushed back as it was', async (activity, subject, named) => {
    const entities: fc.Arbitrary<Entity[]> = fc.array(fc.record({ subject, purpose: named }), {
      maxLength: 12,
    });
    const property = fc.asyncProperty(entities, async (given) => {
      await rm(folder, { recursive: true });
      const files = Object.fromEntries(given.map((entity, index) => [pathOf(entity), `content ${index}`]));
      await write(files, path.join(folder, 'in'));
      await mkdir(folder, { recursive: true });
      await arrange(activity, Object.keys(files));
      expect(await read(activity, path.join(folder, 'out'))).toEqual(files);
    });
    await fc.assert(property, { seed: printedSeed(`pull of ${activity}`), numRuns: runs(12, 2_000) });
  });
});
