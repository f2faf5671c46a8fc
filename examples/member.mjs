import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const TTL_SECONDS = 3;

/**
 * Makes this process a member of a system that Skerry holds together: it serves HTTP, follows its configuration,
 * announces itself, and can find others.
 *
 * @param {string} name of the application, and of the service that it provides
 * @param {Record<string, (url: URL) => Promise<unknown>>} routes answers to GET requests, by path
 */
export async function joinSkerry(name, routes) {
  const skerry = process.env.SKERRY_URL ?? 'http://127.0.0.1:7071';
  const id = `${name}-${randomUUID().slice(0, 8)}`;
  const member = { config: await fetchConfig(), id, find, leave, url: '' };

  const server = createServer((request, response) => {
    answer(request).then(
      (body) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      (error) => response.writeHead(502).end(error.message),
    );
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  member.url = `http://127.0.0.1:${server.address().port}`;

  const instance = `/api/v1/services/${name}/instances/${id}`;
  await register();
  const subscription = await call('POST', '/api/v1/subscriptions', {
    name: id,
    key: `/app/${name}`,
    endpoint: `${member.url}/configuration-changed`,
  });
  const heartbeats = setInterval(() => beat().catch(reportFault), (TTL_SECONDS * 1000) / 3);
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => leave().finally(() => process.exit(0)));
  }
  console.log(`${id} serves ${member.url}`);
  return member;

  async function answer(request) {
    const url = new URL(request.url, member.url);
    if (request.method === 'POST' && url.pathname === '/configuration-changed') {
      member.config = await fetchConfig();
      console.log(`${id} now runs with ${JSON.stringify(member.config)}`);
      return {};
    }
    const route = routes[url.pathname];
    if (route === undefined) {
      throw new Error(`There is nothing at ${url.pathname}.`);
    }
    return await route(url);
  }

  async function fetchConfig() {
    return (await call('GET', `/api/v1/apps/${name}`)).config;
  }

  async function register() {
    await call('PUT', instance, { endpoints: { http: member.url }, ttl: TTL_SECONDS });
  }

  async function beat() {
    const response = await fetch(`${skerry}${instance}/heartbeat`, {
      method: 'PUT',
      signal: AbortSignal.timeout(2000),
    });
    if (response.status === 404) {
      await register();
    }
  }

  /** The HTTP address of a living instance of a service; waits until there is one. */
  async function find(service) {
    for (;;) {
      const response = await fetch(`${skerry}/api/v1/services/${service}?passing`, {
        signal: AbortSignal.timeout(2000),
      });
      const { instances = [] } = response.ok ? await response.json() : {};
      const instance = instances[Math.floor(Math.random() * instances.length)];
      if (instance !== undefined) {
        return instance.endpoints.http;
      }
      await sleep(200);
    }
  }

  async function leave() {
    clearInterval(heartbeats);
    server.close();
    await call('DELETE', `/api/v1/subscriptions/${subscription.id}`);
    await call('DELETE', instance);
  }

  async function call(method, path, body) {
    const response = await fetch(`${skerry}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      signal: AbortSignal.timeout(5000),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!response.ok) {
      throw new Error(`${method} ${path} was answered ${response.status}: ${await response.text()}`);
    }
    return response.status === 204 ? undefined : await response.json();
  }

  function reportFault(error) {
    console.error(`${id}: ${error.message}`);
  }
}
