import { createHash, randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import yazl from 'yazl';
import { type Answer, expectProblem, type HttpClient } from '../http.ts';

const MIB = 1024 * 1024;
const UNKNOWN = 'drf_01jh8000000000000000000000';

interface BegunDraft {
  readonly draft: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly upload: {
    readonly url: string;
    readonly headers: Record<string, string>;
    readonly maxBytes: number;
  };
}

/** Drafts over HTTP; what they do beside each other and in doubt is tested over the storage itself. */
export function draftCases(api: () => HttpClient): void {
  async function begin(bundle: string, body?: unknown): Promise<BegunDraft> {
    const answer = await api().post(`bundles/${bundle}/drafts`, body);
    expect(answer, answer.text).toMatchObject({
      status: 201,
      headers: { location: expect.stringMatching(new RegExp(`/api/v1/bundles/${bundle}/drafts/drf_`)) },
    });
    return answer.body as BegunDraft;
  }

  function commit(bundle: string, { draft }: BegunDraft, body?: unknown, headers = {}): Promise<Answer> {
    return api().send('POST', `bundles/${bundle}/drafts/${draft}/commit`, { body, headers });
  }

  describe.concurrent('a draft', () => {
    it('takes any content under any path, and becomes a version with a commit', async () => {
      const started = await begin('web');
      expect(Date.parse(started.expiresAt) - Date.parse(started.createdAt)).toBe(86_400_000);
      const files = `bundles/web/drafts/${started.draft}/files`;
      const put = await api().put(`${files}/conf/%C3%A4%20%23.json`, '{"not": json', {
        'content-type': 'application/json',
      });
      const sha256 = createHash('sha256').update('{"not": json').digest('hex');
      expect(put).toMatchObject({ status: 200, body: { path: 'conf/ä #.json', size: 12, sha256 } });
      await api().put(`${files}/empty`);
      await api().put(`${files}/gone`, 'x');
      expect((await api().delete(`${files}/gone`)).status).toBe(204);
      expectProblem(await api().delete(`${files}/gone`), 404, { field: 'path' });
      expect((await api().get(`bundles/web/drafts/${started.draft}`)).body).toEqual({
        draft: started.draft,
        createdAt: started.createdAt,
        expiresAt: started.expiresAt,
        files: expect.arrayContaining([{ path: 'conf/ä #.json', size: 12, sha256 }]),
        deleted: ['gone'],
      });

      const committed = await commit('web', started, { message: 'First', labels: ['stable'] });
      expect(committed, committed.text).toMatchObject({
        status: 201,
        headers: {
          'x-skerry-version': '1',
          etag: expect.stringMatching(/^"\d+"$/),
          location: expect.stringMatching(/\/api\/v1\/bundles\/web\/versions\/1$/),
        },
        body: { version: 1, author: 'local', message: 'First', labels: ['stable'], fileCount: 2, size: 12 },
      });
      const again = await commit('web', started, undefined, { 'if-none-match': '*' });
      expect(again).toMatchObject({ status: 201, body: committed.body as object });
      expectProblem(await api().get(`bundles/web/drafts/${started.draft}`), 404, { field: 'draft' });
    });

    it('that begins with a version and changes nothing is unchanged; one that does is not', async () => {
      const first = await begin('based');
      await api().put(`bundles/based/drafts/${first.draft}/files/a`, 'a');
      const version = (await commit('based', first)).body as { digest: string };
      const same = await begin('based', { from: 'latest' });
      const unchanged = await commit('based', same, { digest: version.digest });
      expect(unchanged, unchanged.text).toMatchObject({
        status: 200,
        headers: { 'x-skerry-version': '1', 'content-location': '/api/v1/bundles/based/versions/1' },
        body: { version: 1, unchanged: true },
      });
      expect(await commit('based', same)).toMatchObject({ status: 200, body: unchanged.body as object });

      const other = await begin('based', { from: 1 });
      await api().put(`bundles/based/drafts/${other.draft}/files/b`, 'b');
      expectProblem(await commit('based', other, {}, { 'if-match': '"999"' }), 412);
      expectProblem(await commit('based', other, { digest: version.digest }), 422, { field: 'digest' });
      expectProblem(await commit('based', other, { digest: 'md5:1' }), 400, { field: 'digest' });
      expect((await commit('based', other)).body).toMatchObject({ version: 2, fileCount: 2 });
      expectProblem(await api().post('bundles/based/drafts', { from: 'nothing' }), 404);
      expectProblem(await api().post('bundles/based/drafts', { from: 0 }), 400, { field: 'from' });
    });

    it('takes an archive at its URL, whole or in blocks', async () => {
      const zip = new yazl.ZipFile();
      const size = 3 * MIB;
      zip.addBuffer(randomBytes(size), 'large.bin');
      zip.addBuffer(Buffer.from('small'), 'small.txt');
      zip.end();
      const bytes = await buffer(zip.outputStream);

      const refused = await begin('uploaded');
      const { url, headers, maxBytes } = refused.upload;
      expect(maxBytes).toBe(2048 * MIB);
      const whole = await fetch(url, { method: 'PUT', headers, body: Buffer.from('no zip') });
      expect(whole.status).toBe(201);
      expectProblem(await commit('uploaded', refused), 422);
      const ids = ['1', '2'].map((id) => Buffer.from(id).toString('base64'));
      const half = Math.ceil(bytes.length / 2);
      for (const [index, id] of ids.entries()) {
        const body = bytes.subarray(index * half, (index + 1) * half);
        const block = await fetch(`${url}&comp=block&blockid=${encodeURIComponent(id)}`, {
          method: 'PUT',
          body,
        });
        expect(block.status).toBe(201);
      }
      const list = `<BlockList>${ids.map((id) => `<Latest>${id}</Latest>`).join('')}</BlockList>`;
      expect((await fetch(`${url}&comp=blocklist`, { method: 'PUT', body: list })).status).toBe(201);
      const committed = await commit('uploaded', refused);
      expect(committed, committed.text).toMatchObject({
        status: 201,
        body: { fileCount: 2, size: size + 5 },
      });
    });

    it('is gone once it is given up, and unknown where it never was', async () => {
      const draft = await begin('given-up');
      const path = `bundles/given-up/drafts/${draft.draft}`;
      expectProblem(await api().get(path.replace('given-up', 'web')), 404, { field: 'draft' });
      expectProblem(await api().get(`${path}?ns=other`), 404, { field: 'draft' });
      expectProblem(await api().put(`${path}/files/a%5Cb`, 'x'), 422, { field: 'path' });
      expectProblem(await commit('given-up', draft), 422);
      expect((await api().delete(path)).status).toBe(204);
      expectProblem(await api().delete(path), 404, { field: 'draft' });
      expectProblem(await api().put(`${path}/files/a`, 'x'), 404, { field: 'draft' });
      for (const id of [UNKNOWN, 'nonsense', 'drf_']) {
        expectProblem(await api().get(`bundles/given-up/drafts/${id}`), 404, { field: 'draft' });
        expectProblem(await api().post(`bundles/given-up/drafts/${id}/commit`), 404, { field: 'draft' });
      }
    });
  });
}
