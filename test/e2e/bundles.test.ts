import { createHash, randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import yazl from 'yazl';
import { MemoryArchive } from '../../shared/bundles/content/memory-archive.ts';
import { writeZip } from '../../shared/bundles/content/write-zip.ts';
import { filesOf } from '../integration/bundles/bundles-fixture.ts';
import { channelCases } from './bundle-cases/channels.ts';
import { diffCases } from './bundle-cases/diff.ts';
import { draftCases } from './bundle-cases/drafts.ts';
import { followCases } from './bundle-cases/follow.ts';
import { connect, expectProblem, type HttpClient } from './http.ts';
import { runGuide } from './run-guide.ts';
import { shareSkerry } from './share-skerry.ts';

const ZIP = { 'content-type': 'application/zip' };

let skerry: { readonly url: string };
let api: HttpClient;

beforeAll(async () => {
  skerry = await shareSkerry('swept');
  api = connect(skerry.url);
});

draftCases(() => api);
followCases(
  () => api,
  () => skerry.url,
);

it('the guide to bundles does what it says', async () => {
  const told = await runGuide('bundles.md', skerry.url);
  for (const promised of ['"unchanged":true', 'port: 9090', 'version 1 of template-creation has that']) {
    expect(told).toContain(promised);
  }
});

async function zipOf(files: Parameters<typeof filesOf>[0]): Promise<Buffer> {
  const archive = new MemoryArchive();
  await writeZip(filesOf(files), archive);
  return Buffer.from(archive.bytes);
}

async function publish(name: string, files: Parameters<typeof filesOf>[0], query = '') {
  const answer = await api.put(`bundles/${name}/versions${query}`, await zipOf(files), ZIP);
  expect(answer, answer.text).toMatchObject({
    status: expect.toSatisfy((status) => status === 200 || status === 201),
  });
  return answer;
}

/** As `api.get`, with the bytes of the body, and without following redirects. */
async function fetchBytes(path: string, headers: Record<string, string> = {}, method = 'GET') {
  const url = `${skerry.url}/api/v1/${path}`;
  const response = await fetch(url, { method, headers, redirect: 'manual' });
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, headers: Object.fromEntries(response.headers), bytes };
}

diffCases(
  () => api,
  () => skerry.url,
);

describe.concurrent('versions', () => {
  it('are published from a zip, found, listed and read', async () => {
    const name = 'published';
    const created = await publish(
      name,
      { 'a.txt': 'one', 'b/c.json': '{}' },
      '?message=First&label=l1&label=l2',
    );
    expect(created).toMatchObject({
      status: 201,
      headers: {
        'x-skerry-version': '1',
        location: `${skerry.url}/api/v1/bundles/${name}/versions/1`,
        etag: expect.stringMatching(/^"\d+"$/),
      },
      body: { version: 1, message: 'First', labels: ['l1', 'l2'], fileCount: 2, size: 5 },
    });
    expect(await publish(name, { 'a.txt': 'one', 'b/c.json': '{}' })).toMatchObject({
      status: 200,
      headers: { 'x-skerry-version': '1', 'content-location': `/api/v1/bundles/${name}/versions/1` },
      body: { version: 1, unchanged: true },
    });
    await publish(name, { 'a.txt': 'two' });

    const latest = await api.get(`bundles/${name}/versions/latest`);
    const sha256 = createHash('sha256').update('two').digest('hex');
    expect(latest).toMatchObject({
      status: 200,
      headers: {
        'x-skerry-version': '2',
        'content-location': `/api/v1/bundles/${name}/versions/2`,
        'cache-control': 'no-cache',
      },
      body: { version: 2, files: [{ path: 'a.txt', size: 3, sha256 }] },
    });
    const numbered = await api.get(`bundles/${name}/versions/1`);
    expect(numbered.headers['cache-control']).toBe('private, max-age=86400, immutable');
    expect((numbered.body as { files: unknown[] }).files).toHaveLength(2);
    const { etag = '' } = numbered.headers;
    expect(await api.get(`bundles/${name}/versions/l1`, { 'if-none-match': etag })).toMatchObject({
      status: 304,
      headers: { 'x-skerry-version': '1' },
    });

    const first = await api.get(`bundles/${name}/versions?limit=1`);
    expect(first.body).toMatchObject({ items: [{ version: 2 }], next: expect.any(String) });
    expect((first.body as { items: object[] }).items[0]).not.toHaveProperty('files');
    const { next } = first.body as { next: string };
    const second = await api.get(`bundles/${name}/versions?limit=1&after=${next}`);
    expect(second.body).toMatchObject({ items: [{ version: 1 }] });

    expectProblem(await api.get(`bundles/${name}/versions/3`), 404);
    expectProblem(await api.get(`bundles/${name}/versions/nobody`), 404);
    expectProblem(await api.get('bundles/none/versions/latest'), 404);
  });

  it('are published from tars and forms', async () => {
    const name = 'forms';
    const form = new FormData();
    form.set('message', 'By a form');
    form.set('label', 'formed');
    form.set('a.txt', new Blob(['one']), 'whatever.txt');
    form.set('file', new Blob(['two']), 'b/c.txt');
    const body = new Response(form);
    const contentType = body.headers.get('content-type') ?? '';
    const bytes = Buffer.from(await body.arrayBuffer());
    const formed = await api.put(`bundles/${name}/versions`, bytes, { 'content-type': contentType });
    expect(formed).toMatchObject({
      status: 201,
      body: { message: 'By a form', labels: ['formed'], fileCount: 2 },
    });
    const { bytes: tar } = await fetchBytes(`bundles/${name}/versions/1/archive`, {
      accept: 'application/gzip',
    });
    for (const [type, content] of [
      ['application/gzip', tar],
      ['application/x-tar', gunzipSync(tar)],
      ['application/octet-stream', tar],
    ] as const) {
      expect(await api.put(`bundles/${name}/versions`, content, { 'content-type': type })).toMatchObject({
        status: 200,
        body: { unchanged: true, version: 1 },
      });
    }
  });

  it('are refused with what is wrong', async () => {
    const name = 'refused';
    const put = (body: unknown, headers: Record<string, string> = ZIP, query = '') =>
      api.put(`bundles/${name}/versions${query}`, body, headers);
    expectProblem(await put('{}', { 'content-type': 'application/json' }), 415);
    expectProblem(await put('no zip at all'), 422);
    expectProblem(await put(await zipOf({ a: '1' }), ZIP, '?label=7'), 400, { field: 'label[0]' });
    expectProblem(await put(await zipOf({ a: '1' }), ZIP, '?ifChangedFrom=none'), 404);
    expectProblem(await put(await zipOf({ a: '1' }), { ...ZIP, 'if-match': '"1"' }), 412);
    expectProblem(await put(Buffer.alloc(51 * 1024 * 1024)), 413, { fix: expect.stringMatching(/draft/) });
    expectProblem(await api.get(`bundles/${name}/versions/latest`), 404);
    expect((await put(await zipOf({ a: '1' }), { ...ZIP, 'if-none-match': '*' })).status).toBe(201);
    expectProblem(await put(await zipOf({ a: '2' }), { ...ZIP, 'if-none-match': '*' }), 412);
  });

  it('are rolled back to', async () => {
    const name = 'rolled';
    await publish(name, { a: '1' });
    await publish(name, { a: '2' });
    const path = `bundles/${name}/versions/1/rollback`;
    expect(await api.send('POST', path)).toMatchObject({ status: 201, body: { version: 3, rollbackOf: 1 } });
    expect(await api.post(path, { message: 'Again' })).toMatchObject({
      status: 200,
      body: { version: 3, unchanged: true },
    });
    expect((await api.get(`bundles/${name}/versions/latest/files/a`)).text).toBe('1');
  });
});

describe.concurrent('an archive', () => {
  it('comes as a zip, whole and in parts, or not at all where the caller has it', async () => {
    const name = 'archived';
    const zip = await zipOf({ 'a.txt': 'one', 'b.txt': 'text '.repeat(1_000) });
    const { digest } = (await publish(name, { 'a.txt': 'one', 'b.txt': 'text '.repeat(1_000) })).body as {
      digest: string;
    };
    const path = `bundles/${name}/versions/latest/archive`;
    const etag = `"${digest.slice(7)}.zip"`;
    const whole = await fetchBytes(path);
    expect(whole.bytes.equals(zip)).toBe(true);
    expect(whole).toMatchObject({
      status: 200,
      headers: {
        etag,
        'content-type': 'application/zip',
        'content-length': String(zip.length),
        'content-disposition': `attachment; filename="${name}-1.zip"`,
        'accept-ranges': 'bytes',
        vary: 'Accept',
        'x-skerry-version': '1',
        'content-location': `/api/v1/bundles/${name}/versions/1/archive`,
      },
    });
    expect(await fetchBytes(path, { range: 'bytes=5-50' }, 'HEAD')).toMatchObject({
      status: 200,
      headers: { etag, 'content-length': String(zip.length) },
    });
    const part = await fetchBytes(path, { range: 'bytes=10-', 'if-range': etag });
    expect(part).toMatchObject({
      status: 206,
      headers: { etag, 'content-range': `bytes 10-${zip.length - 1}/${zip.length}` },
    });
    expect(part.bytes.equals(zip.subarray(10))).toBe(true);
    expect((await fetchBytes(path, { range: 'bytes=10-', 'if-range': '"other"' })).status).toBe(200);
    expect((await fetchBytes(path, { range: 'bytes=0-1,5-6' })).bytes.equals(zip)).toBe(true);
    expect(await fetchBytes(path, { range: 'bytes=99999-' })).toMatchObject({
      status: 416,
      headers: { 'content-range': `bytes */${zip.length}` },
    });
    expect(await fetchBytes(path, { 'if-none-match': etag })).toMatchObject({
      status: 304,
      headers: { etag },
    });
  });

  it('comes as a tar.gz to those who prefer it', async () => {
    const name = 'tarred';
    await publish(name, { 'a.txt': 'one' });
    const path = `bundles/${name}/versions/1/archive`;
    const whole = await fetchBytes(path, { accept: 'application/gzip, application/zip;q=0.5' });
    expect(whole).toMatchObject({
      status: 200,
      headers: {
        'content-type': 'application/gzip',
        'content-length': String(whole.bytes.length),
        etag: expect.stringMatching(/\.tar\.gz"$/),
      },
    });
    expect(gunzipSync(whole.bytes).subarray(0, 5).toString()).toBe('a.txt');
    const accept = 'application/gzip';
    const part = await fetchBytes(path, { accept, range: 'bytes=-20' });
    expect(part.status).toBe(206);
    expect(part.bytes.equals(whole.bytes.subarray(-20))).toBe(true);
    expect((await fetchBytes(path, { accept }, 'HEAD')).status).toBe(200);
    const refused = await api.get(path, { accept: 'text/html' });
    expectProblem(refused, 406);
    expect(refused.headers.vary).toBe('Accept');
  });

  it('that is large is where a link says', async () => {
    const name = 'large';
    // Not packed, since packing noise takes its time.
    const zip = new yazl.ZipFile();
    zip.addBuffer(randomBytes(17 * 1024 * 1024), 'a', { compress: false });
    zip.end();
    await api.put(`bundles/${name}/versions`, await buffer(zip.outputStream), ZIP);
    const path = `bundles/${name}/versions/latest/archive`;
    const redirected = await fetchBytes(path);
    expect(redirected).toMatchObject({
      status: 302,
      headers: { 'x-skerry-version': '1', etag: expect.any(String), 'cache-control': 'no-store' },
    });
    const { location = '' } = redirected.headers as { location?: string };
    const followed = await fetch(location, { headers: { range: 'bytes=0-3' } });
    expect(Buffer.from(await followed.arrayBuffer()).toString('latin1')).toBe('PK\x03\x04');
  });
});

describe.concurrent('a file', () => {
  it('comes by itself, with its type', async () => {
    const name = 'filed';
    await publish(name, {
      'ä b/c+d.json': '{"a":1}',
      'x.bin': Buffer.from([0, 255, 0]),
      'a%20b': 'encoded',
      'a b': 'plain',
    });
    for (const [segment, text] of [
      ['a%2520b', 'encoded'],
      ['a%20b', 'plain'],
    ] as const) {
      expect(await api.get(`bundles/${name}/versions/1/files/${segment}`)).toMatchObject({
        text,
        headers: { 'content-location': `/api/v1/bundles/${name}/versions/1/files/${segment}` },
      });
    }
    const path = `bundles/${name}/versions/latest/files/${encodeURIComponent('ä b')}/c+d.json`;
    const etag = `"${createHash('sha256').update('{"a":1}').digest('hex')}"`;
    expect(await api.get(path)).toMatchObject({
      status: 200,
      headers: {
        etag,
        'content-type': 'application/json',
        'content-length': '7',
        'x-content-type-options': 'nosniff',
        'x-skerry-version': '1',
        'content-location': `/api/v1/bundles/${name}/versions/1/files/%C3%A4%20b/c%2Bd.json`,
      },
      body: { a: 1 },
    });
    expect(await api.send('HEAD', path)).toMatchObject({
      status: 200,
      headers: { 'content-length': '7' },
      text: '',
    });
    expect((await api.get(path, { 'if-none-match': etag })).status).toBe(304);
    expect((await fetchBytes(`bundles/${name}/versions/1/files/x.bin`)).bytes).toEqual(
      Buffer.from([0, 255, 0]),
    );
    const missing = await api.get(`bundles/${name}/versions/latest/files/none`);
    expectProblem(missing, 404, { field: 'path' });
    expect(missing.headers['x-skerry-version']).toBe('1');
    expectProblem(await api.get(`bundles/${name}/versions/1/files/a%5Cb`), 422);
  });
});

describe.concurrent('bundles', () => {
  it('are listed, and have settings', async () => {
    const ns = '?ns=settings';
    await api.put(`bundles/b/versions${ns}`, await zipOf({ a: '1' }), ZIP);
    const body = { description: 'Templates', retention: { versions: 5, days: 30 } };
    const created = await api.put(`bundles/a${ns}`, body);
    expect(created).toMatchObject({
      status: 201,
      headers: { etag: '"1"', location: `${skerry.url}/api/v1/bundles/a${ns}` },
      body: { name: 'a', latest: 0, ...body },
    });
    expect(await api.put(`bundles/a${ns}`, {}, { 'if-match': '"1"' })).toMatchObject({
      status: 200,
      headers: { etag: '"2"' },
    });
    expectProblem(await api.put(`bundles/a${ns}`, body, { 'if-match': '"1"' }), 412);
    const listed = await api.get(`bundles${ns}`);
    expect(listed.body).toMatchObject({
      items: [
        { name: 'a', latest: 0 },
        { name: 'b', latest: 1 },
      ],
    });
    expect(await api.get(`bundles/b${ns}`)).toMatchObject({ status: 200, body: { name: 'b', latest: 1 } });
    expectProblem(await api.get(`bundles/c${ns}`), 404);
  });
});

channelCases(
  () => api,
  () => skerry.url,
);
