import { randomUUID } from 'node:crypto';
import { ChangeFeedStartFrom, type Container, type Database, type JSONObject } from '@azure/cosmos';
import { createContainer } from '../../../infra/local/launch/provision.ts';
import { openDatabase } from '../../../shared/platform/cosmos.ts';
import { queryAll } from '../../../shared/platform/cosmos-query.ts';
import { COSMOS_CONTAINERS, COSMOS_DATABASE } from '../../../shared/platform/topology.ts';
import { printReport } from './print-report.ts';
import { RawStorage } from './raw-storage.ts';
import { type Row, takeRounds } from './rounds.ts';
import { ServerProcess } from './server-process.ts';
import { type Call, duringSeconds, repeat, times, type Work } from './work.ts';

interface Containers {
  readonly records: Container;
  /** Holds `FED_ITEMS` and is written no more, so that a floor can answer what the emulator answers. */
  readonly feed: Container;
}

interface Operation {
  readonly name: string;
  /** Makes one caller ready, that is alone in its partition where it writes. */
  open(containers: Containers, partition: string): Promise<Call> | Call;
  write?(storage: RawStorage): Promise<unknown>;
}

const CONCURRENCIES = [1, 32];
const DOCUMENT_BYTES = 1000;
const STORED_ITEMS = 100;
const QUERIED_ITEMS = 10;
const FED_ITEMS = 1000;
const FEED_PAGE = 100;
const READ_PARTITION = 'default:app:read';

const OPERATIONS: readonly Operation[] = [
  {
    name: 'create',
    open({ records }, partition) {
      const run = randomUUID();
      let count = 0;
      return () => records.items.create(documentOf(partition, `${run}-${count++}`, count));
    },
    write: (storage) => storage.append(1),
  },
  {
    name: 'point read',
    open({ records }) {
      let count = 0;
      return async () => {
        const { resource } = await records.item(storedId(count++ % STORED_ITEMS), READ_PARTITION).read();
        if (resource === undefined) throw new Error('An item that was stored was not read.');
      };
    },
  },
  {
    name: 'replace with If-Match',
    async open({ records }, partition) {
      const document = documentOf(partition, 'replaced', 0);
      let { etag } = await records.items.upsert(document);
      return async () => {
        const accessCondition = { type: 'IfMatch', condition: etag };
        ({ etag } = await records.item(document.id, partition).replace(document, { accessCondition }));
      };
    },
    write: (storage) => storage.overwrite(),
  },
  {
    name: 'batch: create and upsert',
    open({ records }, partition) {
      const run = randomUUID();
      let count = 0;
      return async () => {
        const { result = [] } = await records.items.batch(
          [
            { operationType: 'Create', resourceBody: documentOf(partition, `${run}-${count++}`, count) },
            { operationType: 'Upsert', resourceBody: documentOf(partition, 'newest', count) },
          ],
          partition,
        );
        if (result.some(({ statusCode }) => statusCode >= 300)) throw new Error('A batch was refused.');
      };
    },
    write: (storage) => storage.append(2),
  },
  {
    name: `query of ${QUERIED_ITEMS} items`,
    open({ records }) {
      const specification = {
        query: "SELECT * FROM c WHERE c.type = 'change' AND c.revision > @revision ORDER BY c.revision",
        parameters: [{ name: '@revision', value: STORED_ITEMS - QUERIED_ITEMS - 1 }],
      };
      const options = { partitionKey: READ_PARTITION, maxItemCount: 1000 };
      return async () => expectCount(await queryAll(records, specification, options), QUERIED_ITEMS);
    },
  },
  {
    name: 'feed poll, idle',
    async open({ feed }) {
      const iterator = feed.items.getChangeFeedIterator({ changeFeedStartFrom: ChangeFeedStartFrom.Now() });
      const poll = async () => expectCount((await iterator.readNext()).result, 0);
      await poll();
      return poll;
    },
  },
  {
    name: `feed drain, pages of ${FEED_PAGE} (items)`,
    open({ feed }) {
      const begin = () =>
        feed.items.getChangeFeedIterator({
          changeFeedStartFrom: ChangeFeedStartFrom.Beginning(),
          maxItemCount: FEED_PAGE,
        });
      let iterator = begin();
      let left = FED_ITEMS;
      return async () => {
        if (left <= 0) {
          iterator = begin();
          left = FED_ITEMS;
        }
        // A page is empty where one physical partition ends.
        let items = 0;
        while (items === 0) items = (await iterator.readNext()).count;
        left -= items;
        return items;
      };
    },
  },
];

/** The Cosmos DB emulator through the SDK, as Skerry uses it, against a stub and LMDB alone. */
export async function benchCosmos(folder: string, quick: boolean): Promise<void> {
  const emulator = await ServerProcess.start('emulator-process.ts', ['cosmos', folder]);
  const stub = await ServerProcess.start('cosmos-stub.ts', [emulator.connectionString]);
  const database = openDatabase(emulator.connectionString);
  const stubbed = openDatabase(stub.connectionString);
  await provision(database);
  await teach(stub, containersOf(stubbed));
  const targets = {
    emulator: { server: emulator, client: containersOf(database) },
    stub: { server: stub, client: containersOf(stubbed) },
    unsynced: new RawStorage(folder, { synced: false, valueBytes: DOCUMENT_BYTES }),
    synced: new RawStorage(folder, { synced: true, valueBytes: DOCUMENT_BYTES }),
  };
  const rows = OPERATIONS.flatMap((operation) =>
    CONCURRENCIES.map((concurrency) => rowOf(operation, concurrency, quick ? 0.2 : 1)),
  );
  const taken = await takeRounds(rows, targets, 5);
  printReport(`The embedded Cosmos DB, items of ${DOCUMENT_BYTES} bytes`, taken);
  database.client.dispose();
  stubbed.client.dispose();
  await Promise.all([targets.unsynced.close(), targets.synced.close(), stub.stop()]);
  await emulator.stop();
}

/** Asks the stub everything once, to the last page of the feed; from then on nothing that is measured reaches the emulator. */
async function teach(stub: ServerProcess, containers: Containers): Promise<void> {
  for (const { open } of OPERATIONS) {
    const call = await open(containers, 'default:app:lesson');
    await repeat([call], times(FED_ITEMS / FEED_PAGE));
  }
  stub.seal();
}

function rowOf(operation: Operation, concurrency: number, seconds: number): Row<Containers> {
  const { name, open, write } = operation;
  const callers = Array.from({ length: concurrency }, (_, caller) => `default:app:bench${caller}`);
  return {
    name,
    concurrency,
    async prepare(containers) {
      const calls = await Promise.all(callers.map(async (partition) => await open(containers, partition)));
      return { perform: () => repeat(calls, duringSeconds(seconds)) };
    },
    ...(write && {
      write(storage: RawStorage): Promise<Work> {
        // Two puts of a batch are one operation, as the batch is.
        const call = async () => void (await write(storage));
        return repeat(Array<Call>(concurrency).fill(call), duringSeconds(seconds / 4));
      },
    }),
  };
}

function containersOf(database: Database): Containers {
  return { records: database.container('records'), feed: database.container('feed') };
}

async function provision({ client }: Database): Promise<void> {
  const { database } = await client.databases.createIfNotExists({ id: COSMOS_DATABASE });
  for (const id of ['records', 'feed']) await createContainer(database, { ...COSMOS_CONTAINERS.records, id });
  const { records, feed } = containersOf(database);
  for (let number = 0; number < STORED_ITEMS; number += 1) {
    await records.items.create(documentOf(READ_PARTITION, storedId(number), number));
  }
  for (let number = 0; number < FED_ITEMS; number += 1) {
    await feed.items.create(documentOf(`default:app:feed${number % 10}`, storedId(number), number));
  }
}

function storedId(number: number): string {
  return `c:${String(number).padStart(16, '0')}`;
}

/** A change as Skerry's log stores it. */
function documentOf(scope: string, id: string, revision: number): JSONObject & { id: string } {
  return {
    id,
    scope,
    ns: 'default',
    kind: 'app',
    schemaVersion: 1,
    type: 'change',
    key: '/app/bench',
    revision,
    change: 'put',
    value: { text: 'x'.repeat(500) },
    actor: 'bench',
    at: '2026-01-01T00:00:00.000Z',
    writeId: 'b1946ac9-2492-4d23-a1b2-c3d4e5f60718',
  };
}

function expectCount(items: readonly unknown[] | undefined, count: number): void {
  if ((items?.length ?? 0) !== count) throw new Error(`Expected ${count} items, got ${items?.length}.`);
}
