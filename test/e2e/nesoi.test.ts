import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HookReceiver, startHookReceiver } from './hook-receiver.ts';
import { shareSkerry } from './share-skerry.ts';

/** `2011-08-29 11:46:35.739202` */
const TIME = '\\d{4}-\\d{2}-\\d{2} \\d{2}:\\d{2}:\\d{2}\\.\\d{6}';
const DEADLINE = { timeout: 45_000, interval: 20 };

let skerry: { readonly url: string };
let receiver: HookReceiver;

beforeAll(async () => {
  [skerry, receiver] = await Promise.all([shareSkerry('swept'), startHookReceiver()]);
});

afterAll(async () => {
  await receiver?.stop();
});

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

/** Calls as curl does: a body is called urlencoded whatever it is. */
async function curl(method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(path.startsWith('http') ? path : `${skerry.url}${path}`, {
    method,
    ...(body !== undefined && {
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    }),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** The JSON of an answer that must have succeeded. */
async function ask(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const answer = await curl(method, path, body);
  expect(answer.status, `${method} ${path}: ${answer.text}`).toBe(200);
  expect(answer.headers.get('content-type')).toBe('application/json');
  return JSON.parse(answer.text);
}

/** Expects a refusal: a status and a reason as text. */
async function expectRefusal(status: number, method: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await curl(method, path, body);
  expect(answer.status, `${method} ${path}: ${answer.text}`).toBe(status);
  if (method !== 'HEAD') {
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain/);
    expect(answer.text).toMatch(/\w+ \w+/);
  }
  return answer;
}

async function putApp(name: string, fields: Record<string, unknown> = {}) {
  return await ask('PUT', `/app/${name}`, { name, config: {}, ...fields });
}

async function putHost(service: string, host: string, fields: Record<string, unknown> = {}) {
  const endpoints = { http: 'http://localhost:5432/' };
  return await ask('PUT', `/srv/${service}/${host}`, { name: host, endpoints, ...fields });
}

async function putCanonical(path: string, body: unknown): Promise<number> {
  const response = await fetch(`${skerry.url}/api/v1/${path}`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return response.status;
}

async function subscribe(resource: string, name: string) {
  const endpoint = `${receiver.url}/${name}`;
  const answer = await curl('POST', `${resource}/web-hooks`, { name, endpoint });
  expect(answer.status, answer.text).toBe(201);
  return answer;
}

function received(name: string) {
  return receiver.received(`/${name}`);
}

describe('the README of Nesoi, line by line', () => {
  it('creates an application and lists it', async () => {
    await curl('PUT', '/app/dm', '{"name":"dm", "config":{}}');
    const { status, text } = await curl('GET', '/app');
    expect(status).toBe(200);
    // Documentation that is run as a test may have put other applications there.
    expect(text).toMatch(
      new RegExp(
        `^{\n(  "shop-[^]*},\n)?  "dm": {\n    "config": {},\n    "name": "dm",\n    "updated_at": "${TIME}"\n  }(,\n  "shop-[^]*})?\n}\n$`,
      ),
    );
  });

  it('registers a host', async () => {
    const { status, text } = await curl(
      'PUT',
      '/srv/dm/host1',
      '{"name":"host1", "endpoints":{"http":"http://localhost:5432/"}}',
    );
    expect(status).toBe(200);
    expect(text).toMatch(
      new RegExp(
        `^{\n  "endpoints": {\n    "http": "http://localhost:5432/"\n  },\n  "name": "host1",\n  "updated_at": "${TIME}"\n}\n$`,
      ),
    );
  });

  it('subscribes at the resource that HEAD names, is told of a change, and unsubscribes at Location', async () => {
    const head = await curl('HEAD', '/app/dm');
    expect(head.status).toBe(200);
    expect(head.headers.get('link')).toBe(`${skerry.url}/app/dm/web-hooks, rel="Subscriptions"`);

    const [subscriptions = ''] = head.headers.get('link')?.split(',') ?? [];
    const endpoint = `${receiver.url}/dm-host1`;
    const posted = await curl('POST', subscriptions, `{"name":"dm-host1", "endpoint":"${endpoint}"}`);
    expect(posted.status).toBe(201);
    expect(posted.text).toBe(`{\n  "endpoint": "${endpoint}",\n  "name": "dm-host1"\n}\n`);
    expect(posted.headers.get('location')).toBe(`${skerry.url}/app/dm/web-hooks/dm-host1`);

    await putApp('dm', { config: { colour: 'blue' } });
    await expect
      .poll(() => received('dm-host1'), DEADLINE)
      .toEqual([{ name: 'dm-host1', uri: `${skerry.url}/app/dm` }]);

    const removed = await curl('DELETE', posted.headers.get('location') ?? '');
    expect(removed.status).toBe(204);
    expect(removed.text).toBe('');
    expect(await ask('GET', '/app/dm/web-hooks')).toEqual({});
  });

  it('deletes hosts and applications', async () => {
    for (const path of ['/srv/dm/host1', '/app/dm']) {
      const { status, text } = await curl('DELETE', path);
      expect([status, text]).toEqual([204, '']);
      await expectRefusal(404, 'GET', path);
      await expectRefusal(404, 'DELETE', path);
    }
  });

  it('lets the newest updated_at decide between two masters', async () => {
    const old = await putHost('elected', 'old', { master: true });
    await expect
      .poll(async () => (await putHost('elected', 'new', { master: true })).updated_at, DEADLINE)
      .not.toBe(old.updated_at);
    const hosts = await ask('GET', '/srv/elected');
    expect(hosts).toMatchObject({ old: { master: true }, new: { master: true } });
    const times = hosts as Record<string, { updated_at: string }>;
    expect((times.new?.updated_at ?? '') > (times.old?.updated_at ?? '')).toBe(true);
    const { instances } = (await ask('GET', '/api/v1/services/elected')) as {
      instances: { id: string; master?: true }[];
    };
    expect(instances.filter(({ master }) => master).map(({ id }) => id)).toEqual(['new']);
    expect(await putHost('elected', 'old', { master: false })).toMatchObject({ master: false });
  });
});

describe('applications', () => {
  it('keep fields of their own, and only those of the last PUT', async () => {
    const sent = { config: [1, null, 'x'], owner: { team: 'a' }, schema: 'v2', updated_at: 'never' };
    const stored = await putApp('fields', sent);
    expect(stored).toEqual({ ...sent, name: 'fields', updated_at: expect.stringMatching(`^${TIME}$`) });
    expect(await ask('GET', '/app/fields')).toEqual(stored);
    expect(await putApp('fields', { config: null })).toEqual({
      name: 'fields',
      config: null,
      updated_at: expect.any(String),
    });
  });

  it('are those of the canonical API', async () => {
    await putApp('shared', { config: { a: 1 }, owner: 'me' });
    expect(await ask('GET', '/api/v1/apps/shared')).toMatchObject({
      name: 'shared',
      config: { a: 1 },
      extra: { owner: 'me' },
    });
    expect(await putCanonical('apps/shared', { config: { a: 2 } })).toBe(200);
    expect(await ask('GET', '/app/shared')).toMatchObject({ config: { a: 2 }, owner: 'me' });
  });

  it('obey and keep a schema that they were given through the canonical API', async () => {
    const schema = { type: 'object', required: ['port'] };
    expect(await putCanonical('apps/checked', { config: { port: 1 }, schema })).toBe(201);
    const { text } = await expectRefusal(400, 'PUT', '/app/checked', { name: 'checked', config: {} });
    expect(text).toContain('port');
    expect(await putApp('checked', { config: { port: 2 } })).toMatchObject({ config: { port: 2 } });
    expect(await ask('GET', '/api/v1/apps/checked')).toMatchObject({ config: { port: 2 }, schema });
    expect(await ask('GET', '/app/checked')).not.toHaveProperty('schema');
  });

  it.each([
    ['no name', { config: {} }],
    ['no config', { name: 'bad' }],
    ['another name', { name: 'other', config: {} }],
    ['a name that is no text', { name: 5, config: {} }],
    ['an array', []],
    ['no JSON', '{"name":'],
    ['nothing', ''],
  ])('are refused with %s, and nothing is written', async (_fault, body) => {
    await expectRefusal(400, 'PUT', '/app/bad', body);
    await expectRefusal(404, 'GET', '/app/bad');
  });

  it('are listed by the name in the URL even where it is a word of JavaScript', async () => {
    await putApp('__proto__');
    await putApp('constructor');
    const { text } = await curl('GET', '/app');
    expect(text).toContain('"__proto__": {');
    expect(text).toContain('"constructor": {');
  });
});

describe('services', () => {
  it('exist only while they have a host', async () => {
    expect(await ask('GET', '/srv/brief')).toEqual({});
    expect(await ask('GET', '/srv')).not.toHaveProperty('brief');
    const host = await putHost('brief', 'host1');
    expect(await ask('GET', '/srv/brief')).toEqual({ host1: host });
    expect(await ask('GET', '/srv')).toMatchObject({ brief: { name: 'brief', hosts: { host1: host } } });
    expect((await curl('DELETE', '/srv/brief/host1')).status).toBe(204);
    expect(await ask('GET', '/srv/brief')).toEqual({});
    expect(await ask('GET', '/srv')).not.toHaveProperty('brief');
  });

  it('keep whatever a host says of itself', async () => {
    const said = {
      master: true,
      load: 0.5,
      status: 'running',
      tags: 'primary',
      weight: 'heavy',
      metadata: { deep: { er: 1 } },
      updated_at: '2011-08-29 11:57:25.867718',
    };
    const stored = await putHost('talkative', 'host1', said);
    expect(stored).toEqual({
      ...said,
      name: 'host1',
      endpoints: { http: 'http://localhost:5432/' },
      updated_at: expect.stringMatching(`^${TIME}$`),
    });
    expect(stored.updated_at).not.toBe(said.updated_at);
    expect(await ask('GET', '/srv/talkative/host1')).toEqual(stored);
  });

  it('are those of the canonical API', async () => {
    await putHost('both', 'host1', { owner: 'me', ttl: 60 });
    expect(await ask('GET', '/api/v1/services/both')).toMatchObject({
      name: 'both',
      instances: [{ id: 'host1', endpoints: { http: 'http://localhost:5432/' }, ttl: 60, health: 'passing' }],
    });
    const registered = { endpoints: { http: 'http://localhost:1/' }, ttl: 30, tags: ['a'] };
    expect(await putCanonical('services/both/instances/host2', registered)).toBe(201);
    expect(await ask('GET', '/srv/both')).toMatchObject({
      host1: { name: 'host1', owner: 'me', ttl: 60 },
      host2: { name: 'host2', endpoints: { http: 'http://localhost:1/' }, ttl: 30, tags: ['a'] },
    });
  });

  it.each([
    ['no name', { endpoints: { http: 'http://localhost/' } }],
    ['no endpoints', { name: 'bad' }],
    ['another name', { name: 'other', endpoints: { http: 'http://localhost/' } }],
    ['endpoints that are no object', { name: 'bad', endpoints: 'http://localhost/' }],
    ['a ttl that is none', { name: 'bad', endpoints: { http: 'http://localhost/' }, ttl: 'soon' }],
    ['a ttl of nothing', { name: 'bad', endpoints: { http: 'http://localhost/' }, ttl: 0 }],
    ['no JSON', 'name=bad'],
  ])('refuse a host with %s, and nothing is written', async (_fault, body) => {
    await expectRefusal(400, 'PUT', '/srv/picky/bad', body);
    expect(await ask('GET', '/srv/picky')).toEqual({});
  });

  it('cannot have a host called web-hooks', async () => {
    await expectRefusal(400, 'PUT', '/srv/brief/web-hooks', {
      name: 'web-hooks',
      endpoints: { http: 'http://localhost/' },
    });
  });

  it('link to their hooks before they exist', async () => {
    const { status, headers } = await curl('HEAD', '/srv/unheard');
    expect(status).toBe(200);
    expect(headers.get('link')).toBe(`${skerry.url}/srv/unheard/web-hooks, rel="Subscriptions"`);
  });
});

describe('web hooks', () => {
  it('are kept by name within their resource', async () => {
    for (const resource of ['/app/kept', '/srv/kept']) {
      const endpoint = `${receiver.url}/kept`;
      const { headers } = await subscribe(resource, 'kept');
      const place = `${resource}/web-hooks/kept`;
      expect(headers.get('location')).toBe(`${skerry.url}${place}`);
      await expectRefusal(409, 'POST', `${resource}/web-hooks`, { name: 'kept', endpoint });
      expect(await ask('GET', place)).toEqual({ name: 'kept', endpoint });
      expect(await ask('GET', `${resource}/web-hooks`)).toEqual({ kept: { name: 'kept', endpoint } });

      const moved = { name: 'kept', endpoint: `${receiver.url}/moved` };
      await expectRefusal(400, 'PUT', place, { ...moved, name: 'other' });
      await expectRefusal(400, 'PUT', place, { name: 'kept' });
      expect(await ask('PUT', place, moved)).toEqual(moved);
      expect(await ask('GET', place)).toEqual(moved);

      const absent = `${resource}/web-hooks/absent`;
      await expectRefusal(404, 'GET', absent);
      await expectRefusal(404, 'PUT', absent, { name: 'absent', endpoint });
      await expectRefusal(404, 'DELETE', absent);
      expect((await curl('DELETE', place)).status).toBe(204);
      await expectRefusal(404, 'GET', place);
      await subscribe(resource, 'kept');
    }
  });

  it('are echoed with every field that was posted', async () => {
    const body = { name: 'echoed', endpoint: `${receiver.url}/echoed`, 'Notification-Type': 'all' };
    const { status, text } = await curl('POST', '/app/echo/web-hooks', body);
    expect(status).toBe(201);
    expect(JSON.parse(text)).toEqual(body);
  });

  it.each([
    { name: 'bad' },
    { endpoint: 'http://localhost/' },
    { name: 'b/d', endpoint: 'http://localhost/' },
    { name: 'bad', endpoint: 'nowhere' },
    'no json',
  ])('are refused: %j', async (body) => {
    await expectRefusal(400, 'POST', '/app/picky/web-hooks', body);
    expect(await ask('GET', '/app/picky/web-hooks')).toEqual({});
  });

  it('answer 400 where a method fits the collection but not its member, or the other way round', async () => {
    for (const tree of ['app', 'srv']) {
      const body = { name: 'a', endpoint: `${receiver.url}/a` };
      await expectRefusal(400, 'POST', `/${tree}/odd/web-hooks/a`, body);
      await expectRefusal(400, 'PUT', `/${tree}/odd/web-hooks`, body);
      await expectRefusal(400, 'DELETE', `/${tree}/odd/web-hooks`);
    }
  });

  it('of an application are told of its changes and its removal, not of those of a namesake', async () => {
    await subscribe('/app/fire', 'on-app');
    await putApp('fire2', { config: 1 });
    await putApp('fire', { config: 1 });
    await curl('DELETE', '/app/fire2');
    await curl('DELETE', '/app/fire');
    await subscribe('/app/fire3', 'after-app');
    await putApp('fire3', { config: 1 });
    await expect.poll(() => received('after-app'), DEADLINE).toHaveLength(1);
    await expect.poll(() => received('on-app'), DEADLINE).toHaveLength(2);
    const told = { name: 'on-app', uri: `${skerry.url}/app/fire` };
    expect(received('on-app')).toEqual([told, told]);
  });

  it('of a service are told of its hosts under the name of the service, not of those of a namesake', async () => {
    await subscribe('/srv/fire', 'on-srv');
    await putHost('fire2', 'host1');
    await putHost('fire', 'host1');
    await curl('DELETE', '/srv/fire2/host1');
    await curl('DELETE', '/srv/fire/host1');
    await subscribe('/srv/fire3', 'after-srv');
    await putHost('fire3', 'host1');
    await expect.poll(() => received('after-srv'), DEADLINE).toHaveLength(1);
    await expect.poll(() => received('on-srv'), DEADLINE).toHaveLength(2);
    const told = { name: 'on-srv', uri: `${skerry.url}/srv/fire` };
    expect(received('on-srv')).toEqual([told, told]);
  });

  it('stay silent for heartbeats, which move updated_at and leave the revision', async () => {
    const first = await putHost('beating', 'host1', { ttl: 1 });
    await subscribe('/srv/beating', 'on-beats');
    const { revision } = await ask('GET', '/api/v1/services/beating');
    await expect
      .poll(async () => (await putHost('beating', 'host1', { ttl: 1 })).updated_at, DEADLINE)
      .not.toBe(first.updated_at);
    const stored = await ask('GET', '/srv/beating/host1');
    expect(String(stored.updated_at) > String(first.updated_at)).toBe(true);
    expect((await ask('GET', '/api/v1/services/beating')).revision).toBe(revision);
    await putHost('beating', 'host1', { ttl: 1, load: 1 });
    await expect.poll(() => received('on-beats'), DEADLINE).toHaveLength(1);
  });

  it('stay silent for heartbeats of hosts without a ttl too', async () => {
    const first = await putHost('steady', 'host1');
    await subscribe('/srv/steady', 'on-steady');
    const { revision } = await ask('GET', '/api/v1/services/steady');
    await expect
      .poll(async () => (await putHost('steady', 'host1')).updated_at, DEADLINE)
      .not.toBe(first.updated_at);
    const hosts = (await ask('GET', '/srv/steady')) as Record<string, { updated_at: string }>;
    expect((hosts.host1?.updated_at ?? '') > String(first.updated_at)).toBe(true);
    expect((await ask('GET', '/api/v1/services/steady')).revision).toBe(revision);
    await putHost('steady', 'host1', { load: 1 });
    await expect.poll(() => received('on-steady'), DEADLINE).toHaveLength(1);
  });

  it('are told when a host with a ttl stops beating', async () => {
    const { updated_at } = await putHost('dying', 'host1', { ttl: 1 });
    await subscribe('/srv/dying', 'on-death');
    await expect
      .poll(() => received('on-death'), DEADLINE)
      .toEqual([{ name: 'on-death', uri: `${skerry.url}/srv/dying` }]);
    expect(await ask('GET', '/srv/dying')).toMatchObject({ host1: { name: 'host1', updated_at } });
  });
});

describe('the routes', () => {
  it('tolerate one trailing slash', async () => {
    await ask('PUT', '/app/slashed/', { name: 'slashed', config: 1 });
    expect(await ask('GET', '/app/slashed/')).toMatchObject({ config: 1 });
    expect(await ask('GET', '/app/')).toHaveProperty('slashed');
    expect(await ask('GET', '/srv/slashed/')).toEqual({});
    expect(await ask('GET', '/app/slashed/web-hooks/')).toEqual({});
    const { headers } = await curl('HEAD', '/app/slashed/');
    expect(headers.get('link')).toBe(`${skerry.url}/app/slashed/web-hooks, rel="Subscriptions"`);
  });

  it.each([
    ['/app', ['POST', 'PUT', 'DELETE', 'HEAD', 'PATCH']],
    ['/app/dm', ['POST', 'PATCH']],
    ['/srv', ['POST', 'PUT', 'DELETE', 'HEAD']],
    ['/srv/dm', ['POST', 'PUT', 'DELETE']],
    ['/srv/dm/host1', ['POST', 'HEAD']],
    ['/app/dm/web-hooks', ['HEAD', 'PATCH']],
    ['/srv/dm/web-hooks', ['HEAD', 'PATCH']],
    ['/app/dm/web-hooks/h', ['HEAD', 'PATCH']],
    ['/srv/dm/web-hooks/h', ['HEAD', 'PATCH']],
  ])('answer 405 on %s to %j', async (path, methods) => {
    for (const method of methods) {
      const { headers } = await expectRefusal(405, method, path, method === 'HEAD' ? undefined : {});
      expect(headers.get('allow')?.split(', ')).not.toContain(method);
    }
  });

  it.each(['/app/a%20b', '/app/a%2Fb', `/app/${'x'.repeat(129)}`, '/srv/a%3Ab', '/srv/a/%C3%A9'])(
    'refuse names that none can have: %s',
    async (path) => {
      await expectRefusal(400, 'GET', path);
    },
  );
});
