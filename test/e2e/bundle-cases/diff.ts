import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { expectProblem, type HttpClient } from '../http.ts';

/** Differences between versions. */
export function diffCases(api: () => HttpClient, url: () => string): void {
  describe('differences', () => {
    async function publish(bundle: string, files: Readonly<Record<string, string>>): Promise<void> {
      const body = new FormData();
      for (const [name, text] of Object.entries(files)) body.append(name, new Blob([text]), name);
      const answer = await fetch(
        `${url()}/api/v1/bundles/${bundle}/versions?label=v${Object.keys(files).length}`,
        {
          method: 'PUT',
          body,
        },
      );
      expect(answer.status, await answer.text()).toBe(201);
    }
    const contentOf = (text: string) => ({
      size: Buffer.byteLength(text),
      sha256: createHash('sha256').update(text).digest('hex'),
    });

    it('are of the newest version and the one before it, or of any two', async () => {
      const bundle = 'differing';
      await publish(bundle, { 'a.yaml': 'port: 1\n', 'b.bin': '\0', gone: '' });
      await publish(bundle, { 'a.yaml': 'port: 2\n', 'b.bin': '\0\0', 'new/größe': '', same: '1' });
      const answer = await api().get(`bundles/${bundle}/diff`);
      const differences = {
        from: 1,
        to: 2,
        added: [
          { path: 'new/größe', ...contentOf('') },
          { path: 'same', ...contentOf('1') },
        ],
        removed: [{ path: 'gone', ...contentOf('') }],
        changed: [
          {
            path: 'a.yaml',
            from: contentOf('port: 1\n'),
            to: contentOf('port: 2\n'),
            diff: '--- a/a.yaml\n+++ b/a.yaml\n@@ -1,1 +1,1 @@\n-port: 1\n+port: 2\n',
          },
          { path: 'b.bin', from: contentOf('\0'), to: contentOf('\0\0'), omitted: 'binary' },
        ],
      };
      expect(answer).toMatchObject({ status: 200, body: differences });
      expect((await api().get(`bundles/${bundle}/diff?from=v3&to=latest`)).body).toEqual(differences);
      expect((await api().get(`bundles/${bundle}/diff?from=2&to=1`)).body).toMatchObject({
        from: 2,
        to: 1,
        added: differences.removed,
        removed: differences.added,
      });
      expect((await api().get(`bundles/${bundle}/diff?to=1`)).body).toMatchObject({
        from: 0,
        to: 1,
        added: [{ path: 'a.yaml' }, { path: 'b.bin' }, { path: 'gone' }],
        removed: [],
        changed: [],
      });
      expectProblem(await api().get(`bundles/${bundle}/diff?from=7`), 404);
    });
  });
}
