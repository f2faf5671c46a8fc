import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newToken } from '../access/new-token.ts';
import type { Context } from '../command.ts';
import { UsageError } from '../usage-error.ts';
import { Azd } from './azd.ts';

export interface Deployment {
  /** Of azd. */
  readonly environment: string;
  /** The folder of a checkout of Skerry. */
  readonly source: string;
  readonly location: string | undefined;
  readonly subscription: string | undefined;
}

/** Where a Skerry was deployed, and as whom to talk to it. */
export interface Deployed {
  readonly url: string;
  readonly token: string;
  readonly location: string;
}

/** Names of what azd keeps: what the Bicep files take, and what they give. */
const VALUES = {
  url: 'SKERRY_URL',
  tokenDigest: 'SKERRY_BOOTSTRAP_TOKEN_SHA256',
  location: 'AZURE_LOCATION',
} as const;

/** Milliseconds in which a new app comes to answer, and between two questions. */
const START_PATIENCE = 300_000;
const START_PAUSE = 2_000;
const QUESTION_TIME_LIMIT = 10_000;

type DeployContext = Pick<Context, 'folder' | 'settings' | 'output' | 'signal'>;

/**
 * Deploys Skerry into a subscription by `azd up`, and waits until it answers. A new one is given a token, of which it knows the
 * digest only; who has none of their own is shown it.
 *
 * @throws UsageError for what is missing before anything is done; Error where azd fails.
 */
export async function deploySkerry(deployment: Deployment, context: DeployContext): Promise<Deployed> {
  const { environment } = deployment;
  const { signal, output } = context;
  const azd = openAzd(deployment, context);
  const present = await azd.values();
  const location = locationOf(deployment, present);
  const hasToken = Boolean(present?.[VALUES.tokenDigest]);
  if (hasToken && context.settings.token === undefined) throw tokenIsMissing(environment);
  const own = newToken(context.settings.token);

  if (present === undefined) await azd.create(location, deployment.subscription);
  if (!hasToken) {
    await azd.set(VALUES.tokenDigest, own.sha256);
    if (context.settings.token === undefined) {
      output.note(`The new Skerry lets in who has this token, which is shown this once:\n  ${own.token}`);
    }
  }
  await azd.up();
  const { [VALUES.url]: url } = (await azd.values()) ?? {};
  if (url === undefined) {
    throw new Error(
      `azd has deployed "${environment}", but says no ${VALUES.url}: is it Skerry's azure.yaml?`,
    );
  }
  await waitUntilAnswering(url, signal);
  return { url, token: own.token, location };
}

/** What is known of a deployment without making it; undefined where there is none yet. */
export async function findDeployment(
  deployment: Deployment,
  context: DeployContext,
): Promise<Deployed | undefined> {
  const present = await openAzd(deployment, context).values();
  const location = locationOf(deployment, present);
  const url = present?.[VALUES.url];
  if (url === undefined) return undefined;
  if (context.settings.token === undefined) throw tokenIsMissing(deployment.environment);
  return { url, token: context.settings.token, location };
}

function openAzd({ environment, source }: Deployment, { folder, output, signal }: DeployContext): Azd {
  const root = path.resolve(folder, source);
  if (!existsSync(path.join(root, 'azure.yaml'))) {
    throw new UsageError(
      `There is no azure.yaml in ${root}: name the folder of Skerry's source by --source.`,
    );
  }
  const isInteractive = output.isTerminal && process.stdin.isTTY === true;
  return new Azd(environment, { folder: root, isInteractive, signal });
}

function locationOf(deployment: Deployment, present: Readonly<Record<string, string>> | undefined): string {
  const known = present?.[VALUES.location];
  const { location = known } = deployment;
  if (location === undefined) throw new UsageError('A new deployment needs --location.');
  if (known !== undefined && known !== location) {
    throw new UsageError(`"${deployment.environment}" is in ${known}: a deployment cannot move.`);
  }
  return location;
}

function tokenIsMissing(environment: string): UsageError {
  return new UsageError(
    `"${environment}" is deployed already, and has a token: set SKERRY_TOKEN to it. If it is lost, "azd env set ${VALUES.tokenDigest} ''" lets this command make another.`,
  );
}

async function waitUntilAnswering(url: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + START_PATIENCE;
  for (;;) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(QUESTION_TIME_LIMIT)]);
    const answer = await fetch(new URL('/api/v1/health/live', url), { signal: limit }).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok === true) return;
    signal.throwIfAborted();
    if (performance.now() > deadline) {
      throw new Error(`Skerry is deployed, but does not answer at ${url} yet: run the same command again.`);
    }
    await sleep(START_PAUSE, undefined, { signal });
  }
}
