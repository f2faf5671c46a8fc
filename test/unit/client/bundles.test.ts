import { SkerryUncertain, SkerryUnreachable } from 'skerry/client';
import { describe, expect, it } from 'vitest';
import { problem, type ScriptedAnswer, scripted } from './scripted-skerry.ts';

const BROKEN = new TypeError('fetch failed', { cause: new Error('socket hang up') });
const UNAVAILABLE = problem(503, 'unavailable');
const VERSION = { version: 3, digest: 'sha256:', files: [], archiveSize: 6 };
const started = (maxBytes = 1e9): ScriptedAnswer => ({
  status: 201,
  body: { draft: 'drf_1', upload: { url: 'http://blobs/drf_1?sas=1', maxBytes } },
});
const DRAFT = 'bundles/envoy/drafts/drf_1';
const GONE = { status: 204 };

describe('a write session', () => {
  it('is published when it ends', async () => {
    const { client, requests } = scripted([started(), { body: {} }, GONE, { status: 201, body: VERSION }]);
    const made = await client.bundles.write(
      'envoy',
      async (writer) => {
        await writer.put('a b/c.yaml', 'x: 1');
        expect(await writer.delete('old')).toBe(true);
      },
      { from: 2, message: 'm' },
    );
    expect(made).toEqual(VERSION);
    expect(requests).toEqual([
      'POST bundles/envoy/drafts',
      `PUT ${DRAFT}/files/a%20b/c.yaml`,
      `DELETE ${DRAFT}/files/old`,
      `POST ${DRAFT}/commit`,
    ]);
  });

  it('is forgotten when it fails, and tells why', async () => {
    const { client, requests } = scripted([started(), UNAVAILABLE, BROKEN, problem(404, 'not-found')]);
    const failure = new Error('no');
    const session = client.bundles.write('envoy', async () => {
      throw failure;
    });
    await expect(session).rejects.toBe(failure);
    expect(requests.slice(1)).toEqual(Array(3).fill(`DELETE ${DRAFT}`));
  });

  it('without a change publishes nothing, and takes no writes any more', async () => {
    const { client, requests } = scripted([started(), GONE]);
    let later: unknown;
    const made = await client.bundles.write('envoy', async (writer) => {
      await writer.noChange();
      later = await writer.put('a', 'a').catch((error) => error);
    });
    expect([made, later]).toEqual([
      undefined,
      expect.objectContaining({ message: expect.stringContaining('discarded') }),
    ]);
    expect(requests).toEqual(['POST bundles/envoy/drafts', `DELETE ${DRAFT}`]);
  });

  it('is published once, however often it takes to hear of it', async () => {
    const { client, requests } = scripted([started(), BROKEN, UNAVAILABLE, { body: VERSION }]);
    expect(await client.bundles.write('envoy', async () => {})).toEqual(VERSION);
    expect(requests.slice(1)).toEqual(Array(3).fill(`POST ${DRAFT}/commit`));
  });
});

describe('a call', () => {
  it('that publishes is repeated, unless a condition would tell nothing then', async () => {
    const zip = new Uint8Array([1]);
    const { client, requests } = scripted([
      BROKEN,
      { body: VERSION },
      BROKEN,
      problem(412, 'precondition-failed'),
    ]);
    const options = { labels: ['a', 'b'], ifChangedFrom: 2 };
    expect(await client.bundles.versions.publish('envoy', zip, options)).toEqual(VERSION);
    expect(requests[1]).toBe('PUT bundles/envoy/versions?label=a&label=b&ifChangedFrom=2');
    const guarded = client.bundles.versions.publish('envoy', zip, { ifRevision: 7 });
    await expect(guarded).rejects.toThrow(SkerryUncertain);
  });

  it('that pauses a rollout is repeated, and does not take for a refusal what it may have done itself', async () => {
    const paused = problem(409, 'conflict');
    const { client, requests } = scripted([BROKEN, paused, paused]);
    await expect(client.bundles.channels.pause('envoy', 'stable')).rejects.toThrow(SkerryUncertain);
    await expect(client.bundles.channels.abort('envoy', 'stable')).rejects.toMatchObject({ status: 409 });
    expect(requests).toHaveLength(3);
  });

  it('that rolls back is not repeated: another version may have come in between', async () => {
    const { client, requests } = scripted([BROKEN, { body: VERSION }]);
    await expect(client.bundles.versions.rollback('envoy', 1)).rejects.toThrow(SkerryUncertain);
    expect(requests).toEqual(['POST bundles/envoy/versions/1/rollback']);
  });

  it('names the version of what it has read, also where the file is known already', async () => {
    const known = { etag: '"s"', 'x-skerry-version': '3' };
    const script = [
      { headers: known, body: '{"a":1}' },
      { status: 304, headers: { 'x-skerry-version': '4' } },
    ];
    const { client } = scripted(script);
    const read = async () => await client.bundles.versions.readFile('envoy', 'latest', 'a.json');
    const first = await read();
    expect([first?.version, first?.json()]).toEqual([3, { a: 1 }]);
    expect(await read()).toMatchObject({ version: 4, bytes: first?.bytes });
  });
});

describe('a reader', () => {
  it('stays with the version that it was opened with', async () => {
    const { client, requests } = scripted([{ body: VERSION }, { body: 'x' }, problem(404, 'not-found')]);
    const reader = await client.bundles.open('envoy', 'stable', { consumer: 'host 1' });
    expect((await reader?.readFile('x'))?.text()).toBe('x');
    expect(await reader?.readFile('y')).toBeUndefined();
    expect(requests).toEqual([
      'GET bundles/envoy/versions/stable?consumer=host+1',
      'GET bundles/envoy/versions/3/files/x',
      'GET bundles/envoy/versions/3/files/y',
    ]);
  });

  async function readArchive(answers: readonly (ScriptedAnswer | Error)[]) {
    const { client, headers } = scripted([{ body: VERSION }, ...answers], { timeout: 1000 });
    const reader = await client.bundles.open('envoy');
    const read = async () => await new Response(reader?.archive()).text();
    return {
      text: await read().catch((error) => error),
      ranges: headers.slice(1).map((sent) => sent.get('range')),
    };
  }

  /** An answer whose connection breaks behind this. */
  const cut = (text: string, status = 200) => ({ status, body: text, isCut: true });

  it('goes on with an archive where it broke off', async () => {
    expect(
      await readArchive([UNAVAILABLE, cut('abc'), BROKEN, cut('d', 206), { status: 206, body: 'ef' }]),
    ).toEqual({
      text: 'abcdef',
      ranges: [null, null, 'bytes=3-', 'bytes=3-', 'bytes=4-'],
    });
  });

  it('begins anew where somebody on the way knows no ranges', async () => {
    expect(await readArchive([cut('abc'), { body: 'abcdef' }])).toMatchObject({ text: 'abcdef' });
  });

  it('is done where only the end was cut off', async () => {
    expect(await readArchive([cut('abcdef'), problem(416, 'range-not-satisfiable')])).toMatchObject({
      text: 'abcdef',
    });
  });

  it('gives up what is refused, and what does not go on', async () => {
    expect(await readArchive([cut('abc'), problem(404, 'not-found')])).toMatchObject({
      text: { status: 404 },
    });
    const { text } = await readArchive([cut('abc'), ...Array(40).fill(BROKEN)]);
    expect(text).toBeInstanceOf(SkerryUnreachable);
  });
});

describe('an upload', () => {
  const BLOCK = 8 * 1024 * 1024;
  const archive = new Blob([new Uint8Array(2 * BLOCK + 5)]);

  async function upload(answers: readonly (ScriptedAnswer | Error)[], maxBytes?: number) {
    const { client, requests } = scripted([started(maxBytes), ...answers]);
    const draft = await client.bundles.drafts.start('envoy');
    let sent = 0;
    const onProgress = (bytes: number) => {
      sent += bytes;
    };
    const error = await draft.uploadArchive(archive, { onProgress }).catch((failure) => failure);
    return {
      error,
      sent,
      requests: requests.slice(1).map((request) => request.replace(/^PUT \/drf_1\?sas=1&comp=/, '')),
    };
  }

  const block = (index: number) =>
    `block&blockid=${encodeURIComponent(btoa(String(index).padStart(6, '0')))}`;

  it('sends blocks, each until it arrives, and then their list', async () => {
    const ok = { status: 201 };
    const { error, sent, requests } = await upload([ok, UNAVAILABLE, BROKEN, ok, ok, ok]);
    expect([error, sent]).toEqual([undefined, archive.size]);
    expect(requests.slice(0, 3)).toEqual([block(0), block(1), block(2)]);
    expect(requests.slice(3).toSorted()).toEqual([block(1), block(2), 'blocklist'].toSorted());
    expect(requests.at(-1)).toBe('blocklist');
  });

  it('ends with the first refusal, and says why', async () => {
    const refused = { status: 403, body: '<Error><Code>AuthenticationFailed</Code></Error>' };
    const { error, requests } = await upload([refused, refused, refused, refused]);
    expect(error).toBeInstanceOf(SkerryUnreachable);
    expect(error.message).toContain('AuthenticationFailed');
    expect(requests).not.toContain('blocklist');
  });

  it('does not begin with more than storage is meant to take', async () => {
    const { error, requests } = await upload([], archive.size - 1);
    expect([error, requests]).toEqual([expect.any(RangeError), []]);
  });
});
