import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newToken } from '../access/new-token.ts';
import type { Context } from '../command.ts';
import type { ConnectionSettings } from '../connection-settings.ts';
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
  readonly connection: Omit<ConnectionSettings, 'ns'>;
  readonly location: string;
}

/** Names of what azd keeps: what the Bicep files take, and what they give. */
const VALUES = {
  url: 'SKERRY_URL',
  tokenDigest: 'SKERRY_BOOTSTRAP_TOKEN_SHA256',
  location: 'AZURE_LOCATION',
  /** `off` where no token is wanted that may do everything. */
  bootstrap: 'SKERRY_AZURE_BOOTSTRAP',
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
  const { signal, output, settings } = context;
  const azd = openAzd(deployment, context);
  const present = await azd.values();
  const location = locationOf(deployment, present);
  const isSettled = Boolean(present?.[VALUES.tokenDigest]) || present?.[VALUES.bootstrap] === 'off';
  if (isSettled) requireWayIn(environment, settings);
  const made = isWayIn(settings) ? undefined : newToken();
  // The token of a Skerry that is there may be one of few rights: it must not come to have all.
  const isFirst = !isSettled && present?.[VALUES.url] === undefined;
  const given = isFirst && settings.token !== undefined ? newToken(settings.token) : undefined;
  const digest = (made ?? given)?.sha256;

  if (present === undefined) await azd.create(location, deployment.subscription);
  if (digest !== undefined) await azd.set(VALUES.tokenDigest, digest);
  if (made !== undefined) {
    output.note(
      `The new Skerry lets in who has this token, which is shown this once; set SKERRY_TOKEN to it for what follows:\n  ${made.token}`,
    );
  }
  await azd.up();
  const { [VALUES.url]: url } = (await azd.values()) ?? {};
  if (url === undefined) {
    throw new Error(
      `azd has deployed "${environment}", but says no ${VALUES.url}: is it Skerry's azure.yaml?`,
    );
  }
  await waitUntilAnswering(url, signal);
  return { connection: connectionTo(url, made === undefined ? settings : made), location };
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
  requireWayIn(deployment.environment, context.settings);
  return { connection: connectionTo(url, context.settings), location };
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

type WayIn = Pick<ConnectionSettings, 'token' | 'tokenCommand'>;

function isWayIn({ token, tokenCommand }: WayIn): boolean {
  return token !== undefined || tokenCommand !== undefined;
}

function requireWayIn(environment: string, settings: WayIn): void {
  if (isWayIn(settings)) return;
  throw new UsageError(
    `"${environment}" lets in only whom it knows already: set SKERRY_TOKEN to it. If it is lost, "azd env set ${VALUES.tokenDigest} '' --environment ${environment}" lets this command make another.`,
  );
}

function connectionTo(server: string, { token, tokenCommand }: WayIn): Deployed['connection'] {
  return {
    server,
    ...(token !== undefined && { token }),
    ...(tokenCommand !== undefined && { tokenCommand }),
  };
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
