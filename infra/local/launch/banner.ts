import { CONNECTION_SETTINGS } from './app-settings.ts';
import { describeBusSubscription } from './bus-subscription.ts';
import { type LaunchOptions, SERVERS, type ServerName } from './options.ts';
import type { Servers } from './servers.ts';

export interface BannerFacts extends Servers {
  readonly url: string;
  /** The process that holds the emulators, and whose end ends everything. */
  readonly pid: number;
  readonly options: LaunchOptions;
  readonly dataFolder: { readonly path: string; readonly temporary: boolean };
  /** What the app was started with. */
  readonly environment: NodeJS.ProcessEnv;
  /** Shown here and nowhere else. */
  readonly bootstrapToken: string | undefined;
}

/** What whoever started the embedded cloud wants to know; the last line is the one that scripts wait for. */
export function banner(facts: BannerFacts): string {
  const { url, pid, dataFolder } = facts;
  const rows: [name: string, value: string][] = [
    ['API', url],
    ['', describeAccess(facts)],
    ...(facts.options.managedIdentity
      ? [['', 'its functions know no keys: they come by tokens of a managed identity'] as [string, string]]
      : []),
    ['', `webhooks may ${webhooksMayCallLoopback(facts) ? '' : 'not '}call loopback`],
    ...SERVERS.map((server) => connectionRow(server, facts)),
    ...Object.entries(facts.faultUrls).flatMap(([server, url]): [string, string][] =>
      url === undefined ? [] : [[`faults: ${server}`, url]],
    ),
    ...facts.options.busSubscriptions.map((subscription): [string, string] => [
      'bus subscription',
      describeBusSubscription(subscription),
    ]),
    ['data', dataFolder.path + (dataFolder.temporary ? ' (removed at the end)' : '')],
    ['pid', `${pid} (Ctrl-C stops everything)`],
  ];
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return [
    '',
    'Skerry, with its embedded cloud',
    ...rows.map(([name, value]) => `  ${name.padEnd(width)}${value}`),
    '',
    'Try next',
    ...tryNext(facts).map((line) => `  ${line}`),
    '',
    `ready ${url}`,
  ].join('\n');
}

function describeAccess(facts: BannerFacts): string {
  if (isOpen(facts)) return 'open on loopback: no token is asked for (--auth asks for one)';
  const { bootstrapToken, environment } = facts;
  if (bootstrapToken !== undefined) return 'closed: asks for a token, such as the one below';
  return environment.SKERRY_BOOTSTRAP_TOKEN_SHA256
    ? 'closed: asks for a token, such as the one of SKERRY_BOOTSTRAP_TOKEN_SHA256'
    : 'closed: asks for a token';
}

function isOpen({ environment }: BannerFacts): boolean {
  return isSet(environment.SKERRY_LOCAL) && environment.SKERRY_AUTH !== 'on';
}

function webhooksMayCallLoopback({ environment }: BannerFacts): boolean {
  return isSet(environment.SKERRY_WEBHOOK_ALLOW_PRIVATE);
}

function isSet(flag: string | undefined): boolean {
  return flag === 'true' || flag === '1';
}

function connectionRow(server: ServerName, { connections, options }: BannerFacts): [string, string] {
  const leftOut = options.servers.has(server) ? '' : ' (left out)';
  return [CONNECTION_SETTINGS[server], connections[server] + leftOut];
}

function tryNext(facts: BannerFacts): string[] {
  const { url, bootstrapToken } = facts;
  const json = "-H 'content-type: application/json'";
  const token = isOpen(facts) ? '' : ' -H "authorization: Bearer $SKERRY_TOKEN"';
  return [
    // For as long as this runs: the next one has another.
    ...(bootstrapToken === undefined ? [] : [`export SKERRY_TOKEN=${bootstrapToken}`]),
    `curl -X PUT ${url}/api/v1/apps/demo${token} ${json} -d '{"config":{"greeting":"hello"}}'`,
    `curl ${url}/api/v1/apps/demo${token}`,
    `curl ${url}/api/v1/health/ready`,
  ];
}
