import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import {
  type ChangeFeedIteratorOptions,
  type ChangeFeedPullModelIterator,
  ChangeFeedStartFrom,
  type Container,
  CosmosClient,
  type FeedRange,
} from '@azure/cosmos';
import type { Connection } from '../../../shared/platform/connection.ts';
import { signWithToken } from '../../../shared/platform/cosmos-signature.ts';
import { azureCredential } from '../../../shared/platform/identity.ts';
import { hostClock } from './clock.ts';
import { CosmosLeases, type Lease } from './cosmos-leases.ts';
import { rewriteDate } from './dotnet-date.ts';
import type { CosmosTrigger, FunctionDefinition } from './function-definition.ts';
import { FunctionTimeoutError, type TriggerEvent } from './invocation.ts';
import type { Listener } from './listener.ts';
import type { Log } from './log.ts';
import { Outage } from './outage.ts';

const CATEGORY = 'Host.CosmosDB';
/** How long the start waits for an answer, in milliseconds, before HTTP is served without it; a fault is one too. */
const START_PATIENCE = 10_000;
/** After so many milliseconds without a change a feed counts as idle. */
const IDLE_AFTER = 30_000;
/** How often, in milliseconds, an idle feed is read at the most: a laptop has better things to do than ask 50 times a second. */
const IDLE_POLL_DELAY = 100;

export interface CosmosListenerOptions {
  readonly definition: FunctionDefinition<CosmosTrigger>;
  readonly connection: Connection;
  readonly leaseConnection: Connection;
  /** Whether what looks like a date is written anew, as in Azure, where .NET reads the documents on their way. */
  readonly strict: boolean;
  readonly log: Log;
  /** Runs the function with its retry policy; failures are logged there. */
  readonly run: (event: TriggerEvent) => Promise<void>;
}

/** A container or database that a trigger names is not there. */
class MissingContainerError extends Error {}

/**
 * Feeds one function with the changes of a container: ranges in parallel, one batch at a time in each, at least once.
 * A batch that fails for good is passed over, as the extension does.
 */
export class CosmosListener implements Listener {
  readonly #options: CosmosListenerOptions;
  readonly #trigger: CosmosTrigger;
  readonly #client: CosmosClient;
  readonly #leaseClient: CosmosClient;
  readonly #outage: Outage;
  #listening: Promise<unknown> = Promise.resolve();

  /** @throws Error if a connection string is malformed. */
  constructor(options: CosmosListenerOptions) {
    const { definition, connection, leaseConnection, log } = options;
    this.#options = options;
    this.#trigger = definition.trigger;
    this.#client = createClient(connection);
    this.#leaseClient = isDeepStrictEqual(leaseConnection, connection)
      ? this.#client
      : createClient(leaseConnection);
    this.#outage = new Outage(`Cosmos DB for function '${definition.name}'`, CATEGORY, log);
  }

  async start(signal: AbortSignal): Promise<void> {
    const first = this.#open();
    try {
      await Promise.race([first, delay(START_PATIENCE, undefined, { ref: false })]);
    } catch (error) {
      if (error instanceof MissingContainerError) throw error;
    }
    this.#listening = this.#listenOnceOpen(first, signal).catch(() => undefined);
  }

  async close(): Promise<void> {
    await this.#listening;
    this.#client.dispose();
    this.#leaseClient.dispose();
  }

  /** From here on a container that is missing is one more reason to try on. */
  async #listenOnceOpen(first: Promise<OpenFeed>, signal: AbortSignal): Promise<void> {
    let attempt: Promise<OpenFeed> | undefined = first;
    while (!signal.aborted) {
      let feed: OpenFeed;
      try {
        feed = await (attempt ?? this.#open());
      } catch (error) {
        attempt = undefined;
        await hostClock.sleep(this.#outage.failed(error), signal);
        continue;
      }
      this.#outage.succeeded();
      return this.#listenToAll(feed, signal);
    }
  }

  async #open(): Promise<OpenFeed> {
    const {
      databaseName,
      containerName,
      leaseDatabaseName = databaseName,
      leaseContainerName,
      createLeaseContainerIfNotExists,
      leasesContainerThroughput,
    } = this.#trigger;
    const container = this.#client.database(databaseName).container(containerName);
    const containerId = await readResourceId(container, `${databaseName}/${containerName}`);
    const leaseDatabase = this.#leaseClient.database(leaseDatabaseName);
    if (createLeaseContainerIfNotExists) {
      const definition = {
        id: leaseContainerName,
        partitionKey: '/id',
        defaultTtl: -1,
        ...(leasesContainerThroughput !== undefined && { throughput: leasesContainerThroughput }),
      };
      await leaseDatabase.containers.createIfNotExists(definition).catch((error: unknown) => {
        // Another function has just made it.
        if (!hasCode(error, 409)) throw error;
      });
    }
    const leaseContainer = leaseDatabase.container(leaseContainerName);
    await readResourceId(leaseContainer, `${leaseDatabaseName}/${leaseContainerName}`);
    const leases = new CosmosLeases(
      leaseContainer,
      `${this.#trigger.leaseContainerPrefix}${databaseName}_${containerId}`,
    );
    const loaded = await leases.load(await container.getFeedRanges());
    return {
      container,
      leases,
      current: await Promise.all(loaded.map((lease) => this.#pin(container, leases, lease))),
    };
  }

  /** Stores where a new lease starts, so that changes made while the host is away later are not missed. */
  async #pin(container: Container, leases: CosmosLeases, lease: Lease): Promise<Lease> {
    if (lease.continuation !== undefined) return lease;
    const { startFromBeginning, startFromTime } = this.#trigger;
    const startsNow = !startFromBeginning && startFromTime === undefined;
    const continuation = startsNow
      ? (await this.#iterate(container, lease).readNext()).continuationToken
      : undefined;
    const pinned = { ...lease, continuation };
    await leases.save(pinned);
    return pinned;
  }

  async #listenToAll({ container, leases, current }: OpenFeed, signal: AbortSignal): Promise<void> {
    await Promise.all(current.map((lease) => this.#listen(container, leases, lease, signal)));
  }

  async #listen(
    container: Container,
    leases: CosmosLeases,
    first: Lease,
    signal: AbortSignal,
  ): Promise<void> {
    let lease = first;
    let iterator = this.#iterate(container, lease);
    let lastChangeAt = hostClock.now();
    while (!signal.aborted) {
      try {
        const page = await iterator.readNext();
        this.#outage.succeeded();
        if (signal.aborted) return;
        if (page.count === 0) {
          await hostClock.sleep(this.#pollDelay(lastChangeAt), signal);
          continue;
        }
        lastChangeAt = hostClock.now();
        if (!(await this.#deliver(page.result, signal))) return;
        lease = { ...lease, continuation: page.continuationToken };
        await this.#checkpoint(leases, lease, signal);
      } catch (error) {
        await hostClock.sleep(this.#outage.failed(error), signal);
        iterator = this.#iterate(container, lease);
      }
    }
  }

  /** The trigger's own delay, but for feeds that are asked often and have been idle for long. */
  #pollDelay(lastChangeAt: number): number {
    const { feedPollDelay } = this.#trigger;
    const isIdle = hostClock.now() - lastChangeAt > IDLE_AFTER;
    return isIdle ? Math.max(feedPollDelay, IDLE_POLL_DELAY) : feedPollDelay;
  }

  /** False if the batch is to be delivered again because the host stopped in the midst of it. */
  async #deliver(documents: readonly unknown[], signal: AbortSignal): Promise<boolean> {
    const { definition, log, run } = this.#options;
    try {
      const text = JSON.stringify(documents, this.#options.strict ? rewriteDates : undefined);
      await run({ input: { string: text } });
    } catch (error) {
      // What outlived functionTimeout has failed like any other batch, though its worker takes no new one.
      const isCutShort = !(error instanceof FunctionTimeoutError) || definition.retry !== undefined;
      if (signal.aborted && isCutShort) return false;
      const loss = `${documents.length} changes are lost for function '${definition.name}': a failed batch is not delivered again`;
      log.write(
        'error',
        CATEGORY,
        definition.retry === undefined ? `${loss} (it has no retry policy)` : loss,
      );
    }
    return true;
  }

  async #checkpoint(leases: CosmosLeases, lease: Lease, signal: AbortSignal): Promise<void> {
    do {
      try {
        return await leases.save(lease);
      } catch (error) {
        await hostClock.sleep(this.#outage.failed(error), signal);
      }
    } while (!signal.aborted);
  }

  #iterate(container: Container, { feedRange, continuation }: Lease): ChangeFeedPullModelIterator<unknown> {
    const { maxItemsPerInvocation } = this.#trigger;
    const options: ChangeFeedIteratorOptions = {
      changeFeedStartFrom: continuation
        ? ChangeFeedStartFrom.Continuation(continuation)
        : this.#startOf(feedRange),
    };
    if (maxItemsPerInvocation > 0) options.maxItemCount = maxItemsPerInvocation;
    return container.items.getChangeFeedIterator(options);
  }

  #startOf(feedRange: FeedRange): ChangeFeedStartFrom {
    const { startFromBeginning, startFromTime } = this.#trigger;
    if (startFromBeginning) return ChangeFeedStartFrom.Beginning(feedRange);
    if (startFromTime !== undefined) return ChangeFeedStartFrom.Time(new Date(startFromTime), feedRange);
    return ChangeFeedStartFrom.Now(feedRange);
  }
}

function rewriteDates(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? rewriteDate(value) : value;
}

interface OpenFeed {
  readonly container: Container;
  readonly leases: CosmosLeases;
  readonly current: readonly Lease[];
}

function createClient(connection: Connection): CosmosClient {
  return new CosmosClient({
    ...(typeof connection === 'string'
      ? { connectionString: connection }
      : { endpoint: connection.endpoint, tokenProvider: signWithToken(azureCredential(connection)) }),
    connectionPolicy: { enableBackgroundEndpointRefreshing: false },
  });
}

/** The `_rid`, by which a container that was made anew is told from the old one. */
async function readResourceId(container: Container, path: string): Promise<string> {
  try {
    const { resource } = await container.read();
    return resource?._rid ?? '';
  } catch (error) {
    if (hasCode(error, 404)) {
      throw new MissingContainerError(`Cosmos DB container '${path}' does not exist.`);
    }
    throw error;
  }
}

function hasCode(error: unknown, status: number): boolean {
  return error instanceof Error && 'code' in error && error.code === status;
}
