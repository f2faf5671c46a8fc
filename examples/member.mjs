import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { closeOnExit, lastGoodFolder, SkerryClient } from 'skerry/client/node';

const TTL_SECONDS = 3;

/**
 * Makes this process a member of a system that Skerry holds together: it follows its configuration, can find others, and is found once it
 * serves.
 *
 * @param {string} name of the application, and of the service that it provides
 * @param {{ parse(value: unknown): Config }} schema of its configuration
 * @template Config
 */
export async function joinSkerry(name, schema) {
  const skerry = new SkerryClient({ url: process.env.SKERRY_URL ?? 'http://127.0.0.1:7071' });
  const onFault = (error) => console.error(`${name}: ${error.message}`);

  const config = await skerry.config(name, schema, {
    lastGood: lastGoodFolder(path.join(tmpdir(), 'skerry-examples')),
    onFault,
    onInvalid: onFault,
  });
  config.onChange((value) => console.log(`${name} now runs with ${JSON.stringify(value)}`));

  return {
    config,
    discover: (service) => skerry.discover(service, { onFault }),

    /** @param {Record<string, (url: URL) => Promise<unknown>>} routes answers to GET requests, by path */
    async serve(routes) {
      const url = await listen(routes);
      const announcement = skerry.registry.announce(
        { service: name, endpoints: { http: url }, ttl: TTL_SECONDS },
        { onFault },
      );
      await announcement.ready;
      closeOnExit(announcement);
      console.log(`${announcement.id} serves ${url}`);
    },
  };
}

/** Answers on a free port, and returns its address. */
async function listen(routes) {
  const server = createServer((request, response) => {
    answer(new URL(request.url, 'http://localhost')).then(
      (body) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      (error) => response.writeHead(502).end(error.message),
    );
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${server.address().port}`;

  async function answer(url) {
    const route = routes[url.pathname];
    if (route === undefined) {
      throw new Error(`There is nothing at ${url.pathname}.`);
    }
    return await route(url);
  }
}
