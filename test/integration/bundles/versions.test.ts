import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BundleProcess, type BundlesFixture, filesOf, startBundles } from './bundles-fixture.ts';

const NS = 'default';
const author = { actor: 'test' };
const plain = { author, message: '', labels: [] };

let fixture: BundlesFixture;
let here: BundleProcess;
let there: BundleProcess;
let names = 0;

beforeAll(async () => {
  fixture = await startBundles();
  here = fixture.open();
  there = fixture.open();
});

afterAll(() => fixture.stop());

function newName(): string {
  names += 1;
  return `bundle${names}`;
}

describe('publishing', () => {
  it('numbers versions, and reads files of each', async () => {
    const name = newName();
    const first = await here.versions.publish(NS, name, filesOf({ 'a.txt': 'one', 'b/c.txt': 'x' }), {
      author,
      message: 'first',
      labels: ['stable'],
    });
    const second = await there.versions.publish(NS, name, filesOf({ 'a.txt': 'two'.repeat(99) }), plain);
    expect([first, second].map(({ version, unchanged }) => [version.version, unchanged])).toEqual([
      [1, false],
      [2, false],
    ]);
    expect(first.version).toMatchObject({
      message: 'first',
      labels: ['stable'],
      author: 'test',
      files: 2,
      size: 4,
    });
    const textOf = async (reference: string) => {
      const version = await here.versions.find(NS, name, reference);
      return Buffer.from((await here.versions.readFile(NS, name, version, 'a.txt')).bytes).toString();
    };
    expect([await textOf('1'), await textOf('latest'), await textOf('stable')]).toEqual([
      'one',
      'two'.repeat(99),
      'one',
    ]);
  });

  it('makes no new version of the content that the newest has, and leaves nothing behind', async () => {
    const name = newName();
    await here.versions.publish(NS, name, filesOf({ a: '1' }), plain);
    const again = await there.versions.publish(NS, name, filesOf({ a: '1' }), plain);
    expect(again).toMatchObject({ unchanged: true, version: { version: 1 } });
    expect(await fixture.blobsOf(NS, name)).toHaveLength(2);
  });

  it('gives eight writers of two processes each a version of their own, without gaps', async () => {
    const name = newName();
    const writers = Array.from({ length: 8 }, (_, writer) => (writer % 2 === 0 ? here : there).versions);
    const published = await Promise.all(
      writers.map(async (versions, writer) => {
        const numbers: number[] = [];
        for (let round = 0; round < 3; round++) {
          const files = filesOf({ 'writer.txt': `${writer}`, 'round.txt': `${writer}-${round}` });
          const { version, unchanged } = await versions.publish(NS, name, files, plain);
          expect(unchanged).toBe(false);
          const { bytes } = await versions.readFile(NS, name, version, 'round.txt');
          expect(Buffer.from(bytes).toString()).toBe(`${writer}-${round}`);
          numbers.push(version.version);
        }
        return numbers;
      }),
    );
    expect(published.flat().sort((a, b) => a - b)).toEqual(
      Array.from({ length: 24 }, (_, index) => index + 1),
    );
  });

  it('sends large archives in blocks', async () => {
    const name = newName();
    const large = randomBytes(13 * 1024 * 1024);
    const { version } = await here.versions.publish(
      NS,
      name,
      filesOf({ large, small: 'x', tail: 'y' }),
      plain,
    );
    const { bytes } = await there.versions.readFile(NS, name, version, 'large');
    expect(Buffer.compare(bytes, large)).toBe(0);
    const archive = await there.versions.archive(NS, name, version);
    let size = 0;
    for await (const chunk of archive.stream(0, archive.size)) size += chunk.length;
    expect(size).toBe(version.archiveSize);
  });
});
