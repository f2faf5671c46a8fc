import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Running, startCommand } from '../command-line.ts';
import type { HttpClient } from '../http.ts';
import { openLine } from '../interrupted-line.ts';

const DEADLINE = { timeout: 45_000, interval: 100 };

/** Followers of bundles as processes; where they may die is tested without any. */
export function followCases(api: () => HttpClient, url: () => string): void {
  describe.concurrent('skerry bundle follow', () => {
    let root: string;
    const started = new Set<Running>();

    beforeAll(async () => {
      root = await mkdtemp(path.join(tmpdir(), 'skerry-follow-'));
    });

    afterAll(async () => {
      for (const running of started) running.process.kill('SIGKILL');
      await rm(root, { recursive: true });
    });

    const at = (name: string) => path.join(root, name);

    function follow(words: readonly string[], server = url()): Running {
      const running = startCommand(['bundle', 'follow', ...words, '--json'], { url: server, folder: root });
      started.add(running);
      return running;
    }

    async function publish(bundle: string, files: Readonly<Record<string, string>>): Promise<number> {
      const body = new FormData();
      for (const [name, text] of Object.entries(files)) body.append(name, new Blob([text]), name);
      const answer = await fetch(`${url()}/api/v1/bundles/${bundle}/versions`, { method: 'PUT', body });
      const { version } = (await answer.json()) as { readonly version: number };
      expect(answer.status).toBe(201);
      return version;
    }

    /** What Skerry knows of the consumers of a bundle. */
    async function consumers(bundle: string): Promise<readonly unknown[]> {
      const { body } = await api().get(`bundles/${bundle}/consumers`);
      return (body as { readonly items: readonly unknown[] }).items;
    }

    const standing = (folder: string) => readFile(path.join(at(folder), 'a'), 'utf8').catch(() => undefined);

    it('gives readers one whole version after the other, through lost connections and deaths', async ({
      expect,
    }) => {
      const line = await openLine(url());
      const faults: unknown[] = [];
      const seen = new Set<string>();
      let isOver = false;
      const flags = ['parts', 'whole', '--consumer', 'reader'];
      try {
        await publish('parts', { a: '1', 'b/c': '1' });
        let follower = follow(flags, line.url);
        await expect.poll(() => standing('whole'), DEADLINE).toBe('1');
        const reading = (async () => {
          while (!isOver) {
            try {
              const place = await realpath(at('whole'));
              const a = await readFile(path.join(place, 'a'), 'utf8');
              const c = await readFile(path.join(place, 'b/c'), 'utf8');
              seen.add(a);
              if (a !== c) faults.push([a, c]);
            } catch (error) {
              faults.push(error);
            }
            await sleep(4);
          }
        })();
        for (let version = 2; version <= 7; version += 1) {
          if (version === 4) line.cut();
          await publish('parts', { a: String(version), 'b/c': String(version) });
          if (version === 5) line.mend();
          if (version === 6) {
            follower.process.kill('SIGKILL');
            follower = follow(flags, line.url);
          }
          if (version < 4 || version > 5) {
            await expect.poll(() => standing('whole'), DEADLINE).toBe(String(version));
          }
        }
        await expect
          .poll(() => consumers('parts'), DEADLINE)
          .toMatchObject([{ consumer: 'reader', version: 7 }]);
        isOver = true;
        await reading;
        expect(faults).toEqual([]);
        expect(seen.size).toBeGreaterThan(2);
        follower.process.kill('SIGINT');
        expect((await follower.ended()).code).toBe(130);
      } finally {
        isOver = true;
        line.close();
      }
    });

    it('runs the command again after a death in its midst, and ends with its command', async ({ expect }) => {
      await publish('slow', { a: '1' });
      const command = 'echo $$ $SKERRY_VERSION >> runs; test -e go || exec sleep 300';
      const flags = ['slow', 'slow', '--consumer', 'slow', '--exec', command];
      const runs = async () => (await readFile(at('runs'), 'utf8')).trim().split('\n');
      const first = follow(flags);
      await expect.poll(runs, DEADLINE).toHaveLength(1);
      first.process.kill('SIGKILL');
      const second = follow(flags);
      await expect.poll(runs, DEADLINE).toHaveLength(2);
      second.process.kill('SIGTERM');
      expect((await second.ended()).code).toBe(143);
      const [orphan = 0, ended = 0] = (await runs()).map((line) => Number(line.split(' ')[0]));
      expect(() => process.kill(ended, 0)).toThrow('ESRCH');
      process.kill(orphan, 'SIGKILL');
      expect(await consumers('slow')).toEqual([]);
      await writeFile(at('go'), '');
      const third = await follow([...flags, '--once']).ended();
      expect([third.code, third.json]).toEqual([0, { event: 'applied', version: 1, previous: null }]);
      expect(await runs()).toEqual([expect.anything(), expect.anything(), expect.stringMatching(/ 1$/)]);
      expect(await consumers('slow')).toMatchObject([{ consumer: 'slow', version: 1 }]);
    });

    it('goes back where its command fails, and with a rollout that others have failed', async ({
      expect,
    }) => {
      const channel = 'bundles/site/channels/stable';
      await publish('site', { a: 'good' });
      await publish('site', { a: 'bad' });
      await api().put(channel, { version: 1 });
      const check = 'grep -q good $SKERRY_FOLDER/a || { echo no good: $SKERRY_VERSION >&2; exit 7; }';
      const both = ['--channel', 'stable'];
      const strict = follow(['site', 'strict', ...both, '--consumer', 'strict', '--exec', check]);
      const lenient = follow(['site', 'lenient', ...both, '--consumer', 'lenient']);
      for (const folder of ['strict', 'lenient']) {
        await expect.poll(() => standing(folder), DEADLINE).toBe('good');
      }
      const strategy = { steps: [{ percent: 100, bake: 3_600 }], maxFailures: 1 };
      await api().put(channel, { version: 2, strategy });
      await expect
        .poll(async () => (await api().get(channel)).body, DEADLINE)
        .toMatchObject({ version: 1, rollout: { version: 2, state: 'failed', failures: ['strict'] } });
      await expect.poll(() => standing('strict'), DEADLINE).toBe('good');
      await expect.poll(() => standing('lenient'), DEADLINE).toBe('good');
      await expect
        .poll(() => consumers('site'), DEADLINE)
        .toMatchObject([
          { consumer: 'lenient', version: 1, channel: 'stable' },
          { consumer: 'strict', version: 1, failed: { version: 2, detail: 'exit code 7: no good: 2' } },
        ]);
      expect(strict.events()).toContainEqual({
        event: 'failed',
        version: 2,
        reason: 'exit code 7: no good: 2',
        back: 1,
      });
      expect(lenient.events().at(0)).toEqual({ event: 'applied', version: 1, previous: null });
    });

    it('says by its exit code how a single pass went', async ({ expect }) => {
      expect(await follow(['nothing', 'nothing', '--once']).ended()).toMatchObject({ code: 3 });
      await publish('endless', { a: '1' });
      const late = await follow([
        'endless',
        'endless',
        '--once',
        '--exec',
        'sleep 300',
        '--exec-timeout',
        '1',
      ]).ended();
      expect([late.code, late.json]).toMatchObject([1, { reason: 'it took longer than 1 s', back: null }]);
    });
  });
}
