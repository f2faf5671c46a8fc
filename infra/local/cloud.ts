/**
 * `npm run cloud`: the servers without the functions, for any program that uses the Azure SDKs. See `launch/options.ts` for its
 * flags. Standard output carries one connection string a line and nothing else, so that a script can read it.
 */
import { CLOUD_USAGE, parseCloudOptions, SERVERS, type ServerOptions } from './launch/options.ts';
import { runUntilStopped } from './launch/run-until-stopped.ts';
import { claimDataAndPorts, startServers } from './launch/servers.ts';

await runUntilStopped<ServerOptions>({
  command: 'npm run cloud',
  usage: CLOUD_USAGE,
  parse: parseCloudOptions,
  say: console.error,
  async start(options, teardown) {
    const dataFolder = await claimDataAndPorts(options, teardown);
    const { connections, faultUrls } = await startServers({ options, dataFolder, teardown });
    const running = SERVERS.filter((name) => options.servers.has(name));
    for (const [server, url] of Object.entries(faultUrls)) {
      if (url !== undefined) console.error(`faults: ${server}  ${url}`);
    }
    console.error(`data: ${dataFolder.path}${dataFolder.temporary ? ' (removed at the end)' : ''}`);
    console.error(`pid: ${process.pid} (Ctrl-C stops ${running.join(', ')})`);
    for (const name of running) console.log(connections[name]);
  },
});
