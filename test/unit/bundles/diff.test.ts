import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ManifestFile } from '../../../shared/bundles/content/manifest.ts';
import { packFile } from '../../../shared/bundles/content/pack-file.ts';
import { compareManifests } from '../../../shared/bundles/diff/compare-manifests.ts';
import { compareVersions } from '../../../shared/bundles/diff/compare-versions.ts';
import { textDifferences } from '../../../shared/bundles/diff/text-differences.ts';
import type { Version } from '../../../shared/bundles/index.ts';
import { writeCursor } from '../../../shared/platform/cursor.ts';
import { runs, seededRandom } from '../../integration/seeded-runs.ts';

const KIB = 1024;

async function fileOf(path: string, content: string | Buffer): Promise<ManifestFile> {
  return { ...(await packFile(path, Buffer.from(content))).facts, offset: 0 };
}

async function manifestOf(files: Readonly<Record<string, string>>) {
  return { files: await Promise.all(Object.entries(files).map(([path, text]) => fileOf(path, text))) };
}

it('files of two versions are added, removed, changed or the same', async () => {
  const from = await manifestOf({ a: '1', b: '1', c: '1', d: '1' });
  const to = await manifestOf({ '0': '1', a: '1', c: '2', d: '12', e: '' });
  const { added, removed, changed } = compareManifests(from, to);
  expect(added.map((file) => file.path)).toEqual(['0', 'e']);
  expect(removed.map((file) => file.path)).toEqual(['b']);
  expect(changed.map((change) => [change.from, change.to])).toEqual([
    [from.files[2], to.files[2]],
    [from.files[3], to.files[3]],
  ]);
  expect(compareManifests(from, from)).toEqual({ added: [], removed: [], changed: [] });
});

describe('changed files', () => {
  async function differences(pairs: readonly (readonly [string, string | Buffer, string | Buffer])[]) {
    const contents = new Map<ManifestFile, Buffer>();
    const changes = await Promise.all(
      pairs.map(async ([path, before, after]) => {
        const [from, to] = await Promise.all([fileOf(path, before), fileOf(path, after)]);
        contents.set(from, Buffer.from(before)).set(to, Buffer.from(after));
        return { from, to };
      }),
    );
    const read: string[] = [];
    const found = await textDifferences(changes, async (side, file) => {
      read.push(`${side} ${file.path}`);
      return contents.get(file) ?? expect.fail('It is not there.');
    });
    return { found, read };
  }

  it('are compared by lines, as git and patch know it', async () => {
    const before = Array.from({ length: 30 }, (_, index) => `line ${index}\n`).join('');
    const after = before
      .replace('line 4\n', 'größer\n')
      .replace('line 20\n', '')
      .replace('line 29\n', 'line 29');
    const { found } = await differences([['folder/größe.txt', before, after]]);
    const [difference] = found;
    if (difference === undefined || !('diff' in difference)) return expect.fail('There is no difference.');
    expect(difference.diff.split('\n').filter((line) => line.startsWith('@@'))).toEqual([
      '@@ -2,7 +2,7 @@',
      '@@ -18,7 +18,6 @@',
      '@@ -27,4 +26,4 @@',
    ]);
    const folder = mkdtempSync(join(tmpdir(), 'skerry-diff-'));
    try {
      execFileSync('mkdir', ['folder'], { cwd: folder });
      writeFileSync(join(folder, 'folder/größe.txt'), before);
      execFileSync('git', ['apply', '-'], { cwd: folder, input: difference.diff });
      expect(readFileSync(join(folder, 'folder/größe.txt'), 'utf8')).toBe(after);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('are not read where they are no text, or too large', async () => {
    const large = 'x'.repeat(256 * KIB);
    const { found, read } = await differences([
      ['binary', Buffer.from([0, 1]), Buffer.from([0, 2])],
      ['binary now', 'text', Buffer.from([0, 2])],
      ['large', 'text', `${large}y`],
      ['a', large, `${large.slice(1)}y`],
      ['b', large, `${large.slice(1)}y`],
      ['beyond what is read in all', 'text', 'other text'],
    ]);
    expect(found.map((difference) => ('omitted' in difference ? difference.omitted : 'compared'))).toEqual([
      'binary',
      'binary',
      'too large',
      'compared',
      'compared',
      'too large',
    ]);
    expect(read.sort()).toEqual(['from a', 'from b', 'to a', 'to b']);
  });

  it('are not compared for long', async () => {
    const random = seededRandom(1);
    // As many lines as there can be, of two kinds: nothing is worse to compare.
    const text = () => Array.from({ length: 10 * KIB }, () => (random() < 0.5 ? 'a' : 'b')).join('\n');
    // Two of them take a fifth of a second; many take the second that there is for all.
    const pairs = Array.from({ length: runs(2, 25) }, (_, index) => [`${index}`, text(), text()] as const);
    const begun = process.cpuUsage();
    const { found } = await differences(pairs);
    expect(found.every((difference) => 'omitted' in difference && difference.omitted === 'too large')).toBe(
      true,
    );
    expect(process.cpuUsage(begun).user).toBeLessThan(runs(1_000_000, 2_000_000));
  });
});

it('the version before another is the newest that is older, and there', async () => {
  const asked: (string | undefined)[] = [];
  const version = (number: number) => ({ version: number }) as Version;
  const answer = await compareVersions(
    {
      find: async () => version(9),
      list: async (_ns, _name, { after }) => {
        asked.push(after);
        return asked.length === 1
          ? { versions: [], revision: 1, next: 'next' }
          : { versions: [version(3), version(2)], revision: 1, next: 'more' };
      },
      manifest: async () => ({ digest: '', files: [], size: 0, archiveSize: 0 }),
      contentOf: () => expect.fail('Nothing is different.'),
    },
    'default',
    'name',
    {},
  );
  expect(answer).toEqual({ from: 3, to: 9, added: [], removed: [], changed: [] });
  expect(asked).toEqual([writeCursor(['/bundle/name/versions/000000009']), 'next']);
});
