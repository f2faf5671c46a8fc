import { beforeAll, describe, expect, it, vi } from 'vitest';
import { connect, type HttpClient } from './http.ts';
import { shareSkerry } from './share-skerry.ts';

const JSON_TYPE = 'application/json';
const XML_TYPE = 'application/xml';
const DEADLINE = { timeout: 45_000, interval: 50 };
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/;

let skerry: { readonly url: string };
let api: HttpClient;

beforeAll(async () => {
  skerry = await shareSkerry('swept');
  api = connect(skerry.url);
  // On a busy machine the first questions to its dependencies take longer than a probe waits.
  await vi.waitFor(async () => expect((await api.get('health/ready')).status).toBe(200), DEADLINE);
});

const get = (path: string, accept = JSON_TYPE) => api.get(path, { accept });
const put = (body: unknown, headers: Record<string, string> = {}) =>
  api.put('environment', body, { accept: JSON_TYPE, ...headers });

describe("the controller's own endpoints", () => {
  it.each(['info', 'ping', 'liveliness', 'readiness', 'started'])(
    'tell %s as JSON and XML, and nothing to whoever does not say which',
    async (name) => {
      const asJson = await get(`self/${name}`);
      expect(asJson).toMatchObject({
        status: 200,
        headers: { 'content-type': 'application/json; charset=utf-8' },
      });
      expect(asJson.body).toBeTypeOf('object');
      const asXml = await get(`self/${name}`, XML_TYPE);
      expect(asXml).toMatchObject({
        status: 200,
        headers: { 'content-type': 'application/xml; charset=utf-8' },
      });
      expect(asXml.text).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n<(\w+Response)>.*<\/\1>$/);
      expect((await get(`self/${name}`, '*/*')).status).toBe(415);
      expect((await api.get(`self/${name}`)).status).toBe(415);
    },
  );

  it('are about what runs here', async () => {
    const info = (await get('self/info')).body as Record<string, string>;
    expect(info).toEqual({
      buildtime: expect.stringMatching(TIME),
      revision: expect.stringMatching(/^[0-9a-f]{40}$/),
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    });
    const started = Date.parse(((await get('self/started')).body as { time: string }).time);
    const age = Date.now() - started;
    expect(age).toBeGreaterThan(0);
    expect(age).toBeLessThan(10 * 60_000);
    const checks = ['cosmos', 'serviceBus', 'blob'].map((name) => ({ name, status: 'success' }));
    expect((await get('self/readiness')).body).toMatchObject({ checks, status: 'success' });
    expect((await get('self/liveliness?type=detailed')).body).toMatchObject({
      checks: checks.map((check) => ({
        ...check,
        description: expect.any(String),
        timestamp: expect.stringMatching(TIME),
      })),
    });
  });

  it('describe the API', async () => {
    const described = await api.get('doc');
    expect(described).toMatchObject({ status: 200, body: { openapi: expect.stringMatching(/^3\.1/) } });
    expect(described.body).toEqual((await api.get('openapi.json')).body);
  });
});

describe("the controller's environments", () => {
  const shown = (id: string, more: object = {}) => ({
    _key: id,
    name: 'Test',
    description: '',
    created_on: expect.stringMatching(TIME),
    destroyed_on: null,
    destruction_planned_on: null,
    ...more,
  });

  it('are created at once, shown, listed and destroyed', async () => {
    const sent = { _key: 'ctl-life', name: 'Test' };
    const created = await put(sent);
    expect(created).toMatchObject({
      status: 201,
      headers: { location: `${skerry.url}/api/v1/environment/ctl-life` },
      body: { ...sent, description: '', created_on: null, destroyed_on: null, destruction_planned_on: null },
    });
    const again = await put(sent);
    expect([again.status, again.headers['content-type']]).toEqual([409, 'application/json; charset=utf-8']);
    expect(again.body).toBeTypeOf('string');
    expect(await get('environment/ctl-life')).toMatchObject({ status: 200, body: shown('ctl-life') });
    expect((await get('environment')).body).toContainEqual(shown('ctl-life'));
    expect((await get('environment/', XML_TYPE)).text).toMatch(
      /<Environments>.*<ID>ctl-life<\/ID>.*<\/Environments>$/,
    );
    await vi.waitFor(
      async () =>
        expect((await api.get('environments/ctl-life')).body).toMatchObject({
          state: 'Deployed-OK',
        }),
      DEADLINE,
    );

    const destroyed = await api.delete('environment/ctl-life', { accept: JSON_TYPE });
    expect(destroyed).toMatchObject({
      status: 202,
      headers: { 'operation-location': expect.stringContaining('/api/v1/operations/op_') },
      body: { _key: 'ctl-life' },
    });
    await vi.waitFor(
      async () =>
        expect((await get('environment/ctl-life')).body).toEqual(
          shown('ctl-life', { destroyed_on: expect.stringMatching(TIME) }),
        ),
      DEADLINE,
    );
    expect((await api.delete('environment/ctl-life', { accept: JSON_TYPE })).status).toBe(202);
    expect((await put(sent)).status).toBe(409);
  });

  it('of whom several are created at once is one alone, and nobody is told otherwise', async () => {
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => put({ _key: 'ctl-race', name: 'Test' })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409]);
  });

  it('come as XML, too', async () => {
    const body =
      '<?xml version="1.0"?><Environment><ID>ctl-xml</ID><Name>a &amp; b</Name><DestructionPlannedOn>2090-01-02T03:04:05+01:00</DestructionPlannedOn></Environment>';
    const answer = await put(body, { accept: XML_TYPE, 'content-type': `${XML_TYPE}; charset=utf-8` });
    expect([answer.status, answer.text.split('\n')[1]]).toEqual([
      201,
      '<Environment><ID>ctl-xml</ID><Name>a &amp; b</Name><Description></Description><DestructionPlannedOn>2090-01-02T03:04:05+01:00</DestructionPlannedOn></Environment>',
    ]);
    expect((await get('environment/ctl-xml')).body).toMatchObject({ name: 'a & b' });
  });

  it('are refused with a reason as JSON, XML or text, whichever is asked for', async () => {
    const valid = { _key: 'ctl-none', name: 'Test' };
    const refusals: readonly [number, unknown, Record<string, string>?][] = [
      [400, ''],
      [400, '{"_key": '],
      [400, `${JSON.stringify(valid)}{}`],
      [400, { _key: 'ctl-none' }],
      [400, { name: 'Test' }],
      [400, { ...valid, name: 7 }],
      [400, { ...valid, created_on: 'yesterday' }],
      [400, { ...valid, unknown: true }],
      [400, []],
      [413, `"${'x'.repeat(1024 * 1024 - 1)}"`],
      [415, JSON.stringify(valid), { 'content-type': 'text/plain' }],
    ];
    for (const [status, body, headers] of refusals) {
      const answer = await put(body, headers);
      expect([answer.status, answer.headers['content-type']], answer.text.slice(0, 300)).toEqual([
        status,
        'application/json; charset=utf-8',
      ]);
      expect(answer.body).toMatch(/\w \w/);
    }
    expect((await put(valid, { accept: '*/*' })).status).toBe(415);
    const unknown = await get('environment/ctl-none', XML_TYPE);
    expect([unknown.status, unknown.text.split('\n')[1]]).toEqual([
      404,
      expect.stringMatching(/^<string>There is no environment &#34;ctl-none&#34;\..*<\/string>$/),
    ]);
    expect((await api.delete('environment/ctl-none', { accept: JSON_TYPE })).status).toBe(404);
    expect((await api.send('POST', 'environment', { headers: { accept: JSON_TYPE } })).status).toBe(405);
  });
});
