import { createHash } from 'node:crypto';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BundleFollower } from '../../../../client/cli/bundle/follow/bundle-follower.ts';
import { FollowReport } from '../../../../client/cli/bundle/follow/follow-report.ts';
import { LastGoodFile } from '../../../../client/cli/bundle/follow/last-good.ts';
import { runCommand } from '../../../../client/cli/bundle/follow/run-command.ts';
import { VersionFolders } from '../../../../client/cli/bundle/follow/version-folders.ts';
import type { OfferedVersion, Outcome } from '../../../../client/cli/bundle/follow/version-source.ts';
import { SkerryUnreachable } from '../../../../client/transport/problem.ts';
import { printedSeed, runs } from '../../../integration/seeded-runs.ts';

/** Ends a follower, as kill -9 does. */
class Death extends Error {}

let root: string;
let folder: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'skerry-follow-'));
  folder = path.join(root, 'current');
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

const FILES = ['cds.yaml', 'deep/lds.yaml'];
const contentOf = (version: number, file: string) => `${file} of ${version}`;

function offer(version: number): OfferedVersion {
  const files = FILES.map((file) => ({
    path: file,
    sha256: createHash('sha256').update(contentOf(version, file)).digest('hex'),
  }));
  const digest = `sha256:${createHash('sha256').update(String(version)).digest('hex')}`;
  return {
    version,
    digest,
    files,
    async pull(target) {
      for (const file of FILES) {
        await mkdir(path.dirname(path.join(target, file)), { recursive: true });
        await writeFile(path.join(target, file), contentOf(version, file));
      }
    },
  };
}

/** A Skerry and a machine, with followers that die when they are told to. */
class World {
  wanted: number | undefined = 1;
  readonly bad = new Set<number>();
  readonly outcomes: Outcome[] = [];
  /** Versions that the command has run for. */
  readonly ran: number[] = [];
  readonly events: { readonly event: string; readonly version: number }[] = [];
  keep = 3;
  isDeaf = false;
  /** Steps until death. */
  left = Number.POSITIVE_INFINITY;

  /** Lets the follower die before or after a step. */
  async #step<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#age();
    const result = await work();
    this.#age();
    return result;
  }

  #age(): void {
    this.left -= 1;
    if (this.left < 0) throw new Death();
  }

  async start(): Promise<BundleFollower> {
    const folders = await VersionFolders.open(folder);
    const lastGood = new LastGoodFile(path.join(folders.place, 'state.json'));
    const { point, provide, clean } = folders;
    folders.point = (name) => this.#step(() => point.call(folders, name));
    folders.clean = (inUse, keep) => this.#step(() => clean.call(folders, inUse, keep));
    folders.provide = (content, pull) =>
      this.#step(() =>
        provide.call(folders, content, async (target, temporary) => {
          await writeFile(path.join(target, 'cds.yaml'), 'half');
          this.#age();
          await pull(target, temporary);
        }),
      );
    const save = lastGood.save.bind(lastGood);
    lastGood.save = (good) => this.#step(() => save(good));
    return new BundleFollower({
      bundle: 'envoy',
      folders,
      lastGood,
      keep: this.keep,
      source: {
        wanted: async () => (this.wanted === undefined ? undefined : offer(this.wanted)),
        acknowledge: (outcome) =>
          this.#step(async () => {
            if (this.isDeaf) throw new SkerryUnreachable('deaf');
            this.outcomes.push(outcome);
          }),
        async *changes() {},
      },
      check: ({ version }) =>
        this.#step(async () => {
          this.ran.push(version);
          return this.bad.has(version) ? 'exit code 1' : undefined;
        }),
      report: new FollowReport(
        {
          isJson: true,
          note: () => {},
          event: (event) => void this.events.push(event as World['events'][number]),
        },
        'envoy',
        folder,
      ),
      signal: new AbortController().signal,
    });
  }
}

/** The version that the folder is; fails where it is not whole. */
async function standing(): Promise<number> {
  const place = await realpath(folder);
  const versions = new Set<string | undefined>();
  for (const file of FILES) {
    versions.add(/ of (\d+)$/.exec(await readFile(path.join(place, file), 'utf8'))?.[1]);
  }
  expect(versions.size).toBe(1);
  return Number([...versions][0]);
}

describe('a follower', () => {
  it('pulls, puts in place, checks and acknowledges each version once', async () => {
    const world = new World();
    const follower = await world.start();
    expect([await follower.bring(), await follower.bring()]).toEqual(['in place', 'in place']);
    expect(await standing()).toBe(1);
    world.wanted = 2;
    expect(await follower.bring()).toBe('in place');
    expect(await standing()).toBe(2);
    expect(await (await world.start()).bring()).toBe('in place');
    expect(world.ran).toEqual([1, 2]);
    expect(world.outcomes).toEqual([
      { version: 1, ok: true },
      { version: 2, ok: true },
    ]);
    expect(await readlink(folder)).toMatch(/^current\.versions\/2-[0-9a-f]{12}$/);
  });

  it('puts the last good version back when one fails, and tries that again only after another or a new start', async () => {
    const world = new World();
    const follower = await world.start();
    await follower.bring();
    world.bad.add(2);
    world.wanted = 2;
    expect([await follower.bring(), await follower.bring()]).toEqual(['failed', 'failed']);
    expect(await standing()).toBe(1);
    expect(world.ran).toEqual([1, 2, 1]);
    expect(world.outcomes.slice(1)).toEqual([{ version: 2, ok: false, detail: 'exit code 1' }]);
    // As when a rollout has failed, and is begun again later.
    world.wanted = 1;
    expect(await follower.bring()).toBe('in place');
    expect(world.ran).toHaveLength(3);
    world.wanted = 2;
    expect(await follower.bring()).toBe('failed');
    expect(await (await world.start()).bring()).toBe('failed');
    world.bad.clear();
    expect(await (await world.start()).bring()).toBe('in place');
    expect(world.ran.slice(3)).toEqual([2, 1, 2, 1, 2]);
    expect(world.outcomes.at(-1)).toEqual({ version: 2, ok: true });
  });

  it('goes back with a rollout', async () => {
    const world = new World();
    const follower = await world.start();
    for (const version of [1, 2, 1]) {
      world.wanted = version;
      await follower.bring();
    }
    expect(await standing()).toBe(1);
    expect(world.ran).toEqual([1, 2, 1]);
  });

  it('goes back from wherever it died when the version before is wanted again', async () => {
    for (let death = 0; death < 12; death += 1) {
      await rm(root, { recursive: true });
      await mkdir(root);
      const world = new World();
      await (await world.start()).bring();
      world.wanted = 2;
      world.left = death;
      await expect((await world.start()).bring()).rejects.toThrow(Death);
      world.left = Number.POSITIVE_INFINITY;
      world.wanted = 1;
      expect(await (await world.start()).bring()).toBe('in place');
      expect([await standing(), world.ran.at(-1)]).toEqual([1, 1]);
    }
  });

  it('does not run the command again because nobody could be told', async () => {
    const world = new World();
    world.isDeaf = true;
    await expect((await world.start()).bring()).rejects.toThrow('deaf');
    world.isDeaf = false;
    expect(await (await world.start()).bring()).toBe('in place');
    expect(world.ran).toEqual([1]);
    expect(world.outcomes).toEqual([{ version: 1, ok: true }]);
  });

  it('stays where it is while there is no such version', async () => {
    const world = new World();
    const follower = await world.start();
    world.wanted = undefined;
    expect(await follower.bring()).toBe('nothing there');
    world.wanted = 1;
    await follower.bring();
    world.wanted = undefined;
    expect(await follower.bring()).toBe('nothing there');
    expect(await standing()).toBe(1);
  });

  it('pulls a version again whose files were changed here', async () => {
    const world = new World();
    await (await world.start()).bring();
    await writeFile(path.join(folder, 'cds.yaml'), 'by hand');
    await (await world.start()).bring();
    expect(await standing()).toBe(1);
    await writeFile(path.join(folder, 'more.yaml'), 'by hand');
    await (await world.start()).bring();
    expect(await readdir(folder)).toEqual(['cds.yaml', 'deep']);
  });

  it('reports a version that cannot be written, and keeps what it has', async () => {
    const world = new World();
    const follower = await world.start();
    await follower.bring();
    world.wanted = 2;
    await rm(`${folder}.versions`, { recursive: true });
    await writeFile(`${folder}.versions`, 'no folder any more');
    await expect(follower.bring()).rejects.toThrow('ENOTDIR');
  });

  it('keeps the last versions, and those that somebody may still read', async () => {
    const world = new World();
    world.keep = 2;
    const follower = await world.start();
    for (const version of [1, 2, 3, 4]) {
      world.wanted = version;
      await follower.bring();
    }
    const { place } = await VersionFolders.open(folder);
    expect((await readdir(place)).filter((name) => /^\d/.test(name))).toHaveLength(4);
    for (const name of await readdir(place)) await utimes(path.join(place, name), 1, 1);
    await mkdir(path.join(place, '.9-0123456789ab-01234567.999999999'));
    await mkdir(path.join(place, 'notes'));
    world.wanted = 5;
    await follower.bring();
    const left = await readdir(place);
    expect(left.map((name) => name.replace(/-[0-9a-f]{12}$/, '')).sort()).toEqual([
      '4',
      '5',
      'notes',
      'state.json',
    ]);
  });

  it('leaves alone what is not its own', async () => {
    const world = new World();
    await mkdir(folder);
    await expect(world.start()).rejects.toThrow('is no symbolic link');
    expect(await readdir(root)).toEqual(['current']);
    await rm(folder, { recursive: true });
    await symlink(root, folder);
    await expect(world.start()).rejects.toThrow('none of its versions');
  });

  it('takes no version for one that cannot be written because another follower writes there, too', async () => {
    const one = await VersionFolders.open(folder);
    const other = await VersionFolders.open(folder);
    const content = offer(1);
    const names = await Promise.all(
      [one, other].map((folders) => folders.provide(content, (target) => content.pull(target, ''))),
    );
    for (const name of names) expect(await one.holds(name, content)).toBe(true);
    // What another process is at stays, what nobody is at goes.
    for (const pid of [process.ppid, 999_999_999]) {
      await mkdir(one.pathOf(`.2-0123456789ab-01234567.${pid}`));
    }
    await one.clean(names, 3);
    expect((await readdir(one.place)).filter((name) => name.startsWith('.'))).toEqual([
      `.2-0123456789ab-01234567.${process.ppid}`,
    ]);
  });

  it('writes nothing elsewhere, whatever a version is called', async () => {
    const folders = await VersionFolders.open(folder);
    const content = { ...offer(1), version: '../../x/1' as unknown as number };
    await expect(folders.provide(content, async () => {})).rejects.toThrow('There is no version');
    expect(await readdir(root)).toEqual(['current.versions']);
  });

  it('that dies anywhere leaves a whole version, and the next one does the rest', async () => {
    const life = fc.record({
      wanted: fc.integer({ min: 1, max: 4 }),
      isBad: fc.boolean(),
      deaths: fc.array(fc.integer({ min: 0, max: 16 }), { maxLength: 3 }),
    });
    const property = fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 6 }), async (lives) => {
      await rm(root, { recursive: true });
      await mkdir(root);
      const world = new World();
      let good: number | undefined;
      for (const { wanted, isBad, deaths } of lives) {
        world.wanted = wanted;
        world.bad.clear();
        if (isBad) world.bad.add(wanted);
        let mayStand = [good, wanted];
        for (const death of [...deaths, Number.POSITIVE_INFINITY]) {
          world.left = death;
          try {
            await (await world.start()).bring();
          } catch (error) {
            if (!(error instanceof Death)) throw error;
          }
          if (good !== undefined) expect(mayStand).toContain(await standing());
        }
        if (!isBad || good === undefined) mayStand = [wanted];
        else mayStand = [good];
        expect(mayStand).toContain(await standing());
        if (isBad && good !== wanted) {
          expect(world.outcomes.at(-1)).toMatchObject({ version: wanted, ok: false });
        } else {
          good = wanted;
          expect(world.outcomes.findLast(({ version }) => version === wanted)).toMatchObject({ ok: true });
        }
        if (good !== undefined) expect(world.ran.at(-1)).toBe(good);
      }
    });
    await fc.assert(property, { seed: printedSeed('follower'), numRuns: runs(8, 2_000) });
  });
});

it.runIf(process.platform !== 'win32')(
  'a command that takes too long ends with what it has started, which may be deaf to requests',
  async () => {
    const fault = await runCommand({
      command: "(trap '' TERM; echo $$ > started; while :; do sleep 0.02; touch alive; done) ; true",
      env: {},
      folder: root,
      timeLimit: 300,
      grace: 100,
      out: 2,
      signal: new AbortController().signal,
    });
    expect(fault).toContain('it took longer than 0.3 s');
    await rm(path.join(root, 'alive'), { force: true });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await readdir(root)).toEqual(['started']);
  },
);
