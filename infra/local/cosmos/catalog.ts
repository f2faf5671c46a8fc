import { badRequest, CosmosError, notFound, notSupported, SUB_STATUS } from './cosmos-error.ts';
import { isSamePath } from './indexed-value.ts';
import { type IndexingPolicy, parseIndexingPolicy, splitPath } from './indexing-policy.ts';
import { timeToLive } from './item.ts';
import { reindexItems } from './item-store.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import { type PartitionRange, partitionRanges } from './partition-ranges.ts';
import { containerResourceId, databaseResourceId } from './resource-id.ts';
import { type Store, withPrefix } from './store.ts';

export interface DatabaseEntry {
  readonly number: number;
  readonly id: string;
  readonly resource: JsonObject;
}

export interface ContainerEntry {
  readonly number: number;
  readonly databaseNumber: number;
  readonly id: string;
  readonly resourceId: string;
  /** `dbs/<database>/colls/<container>`, with names. */
  readonly link: string;
  readonly selfLink: string;
  readonly resource: JsonObject;
  readonly partitionKeyPath: readonly string[];
  /** In the order of their keys; fixed when the container was created. */
  readonly ranges: readonly PartitionRange[];
  readonly indexing: IndexingPolicy;
  /** Seconds; -1 = only items with their own ttl expire; undefined = nothing expires. */
  readonly defaultTtl: number | undefined;
}

const MAX_ID_CHARACTERS = 255;
const UNSUPPORTED_FEATURES = [
  'uniqueKeyPolicy',
  'conflictResolutionPolicy',
  'changeFeedPolicy',
  'computedProperties',
  'vectorEmbeddingPolicy',
  'fullTextPolicy',
  'clientEncryptionPolicy',
  'analyticalStorageTtl',
];

/** The databases and containers: kept in storage, held in memory. */
export class Catalog {
  readonly #store: Store;
  readonly #partitions: number;
  readonly #databases = new Map<string, DatabaseEntry>();
  readonly #containers = new Map<string, ContainerEntry>();

  /** @param partitions how many physical partitions a new container gets; those that stand keep their own */
  constructor(store: Store, partitions: number) {
    this.#store = store;
    this.#partitions = partitions;
    for (const { key, value } of store.meta.getRange(withPrefix('database'))) {
      if (!isJsonObject(value)) continue;
      const database = { number: Number(key[1]), id: String(value.id), resource: value };
      this.#databases.set(database.id, database);
    }
    for (const { key, value } of store.meta.getRange(withPrefix('container'))) {
      const database = [...this.#databases.values()].find(({ number }) => number === key[1]);
      if (database === undefined || !isJsonObject(value) || !isJsonObject(value.resource)) continue;
      const ranges = partitionRanges(Number(value.partitions));
      const container = containerEntry(database, Number(key[2]), value.resource, ranges);
      this.#containers.set(container.link, container);
    }
  }

  databases(): DatabaseEntry[] {
    return [...this.#databases.values()];
  }

  containers(database: DatabaseEntry): ContainerEntry[] {
    return [...this.#containers.values()].filter(({ databaseNumber }) => databaseNumber === database.number);
  }

  allContainers(): ContainerEntry[] {
    return [...this.#containers.values()];
  }

  database(id: string): DatabaseEntry {
    const database = this.#databases.get(id);
    if (database === undefined) throw notFound();
    return database;
  }

  /** The database of containers. @throws CosmosError 404/1003 */
  owner(databaseId: string): DatabaseEntry {
    return this.#databases.get(databaseId) ?? refuseOwner();
  }

  /** @throws CosmosError 404, or 404/1003 when its database is not there */
  container(databaseId: string, id: string): ContainerEntry {
    const container = this.#containers.get(linkOf(this.owner(databaseId).id, id));
    if (container === undefined) throw notFound();
    return container;
  }

  /** The container of items. @throws CosmosError 404/1003 */
  ownerOfItems(databaseId: string, id: string): ContainerEntry {
    return this.#containers.get(linkOf(databaseId, id)) ?? refuseOwner();
  }

  /** @throws CosmosError 404/1003 when it is gone */
  current({ link }: ContainerEntry): ContainerEntry {
    return this.#containers.get(link) ?? refuseOwner();
  }

  async createDatabase(body: JsonObject): Promise<DatabaseEntry> {
    const id = resourceName(body);
    return this.#store.commit(() => {
      if (this.#databases.has(id)) throw alreadyExists();
      const number = this.#nextNumber('nextDatabase');
      const rid = databaseResourceId(number);
      const resource = {
        id,
        _rid: rid,
        _self: `dbs/${rid}/`,
        _etag: resourceEtag(number),
        _colls: 'colls/',
        _users: 'users/',
        _ts: seconds(),
      };
      this.#store.meta.putSync(['database', number], resource);
      const database = { number, id, resource };
      this.#databases.set(id, database);
      return database;
    });
  }

  async createContainer(databaseId: string, body: JsonObject): Promise<ContainerEntry> {
    // All is checked before the commit, as what refuses inside of it must not have written.
    const definition = containerDefinition(body);
    const { id } = definition;
    return this.#store.commit(() => {
      const database = this.owner(databaseId);
      if (this.#containers.has(linkOf(databaseId, id))) throw alreadyExists();
      const number = this.#nextNumber('nextContainer');
      const rid = containerResourceId(database.number, number);
      const resource: JsonObject = {
        ...definition,
        _rid: rid,
        _self: `dbs/${databaseResourceId(database.number)}/colls/${rid}/`,
        _etag: resourceEtag(number),
        _docs: 'docs/',
        _sprocs: 'sprocs/',
        _triggers: 'triggers/',
        _udfs: 'udfs/',
        _conflicts: 'conflicts/',
        _ts: seconds(),
      };
      const partitions = this.#partitions;
      const container = containerEntry(database, number, resource, partitionRanges(partitions));
      this.#store.meta.putSync(['container', database.number, number], { partitions, resource });
      this.#containers.set(container.link, container);
      return container;
    });
  }

  /** Replaces the indexing policy and the time to live, and brings all items in line at once, where the service takes its time. */
  async replaceContainer(databaseId: string, id: string, body: JsonObject): Promise<ContainerEntry> {
    const definition = containerDefinition(body);
    if (definition.id !== id) throw badRequest('The id of a container cannot be replaced.');
    return this.#store.commit(() => {
      const old = this.container(databaseId, id);
      const database = this.owner(databaseId);
      if (!isSamePath(partitionKeyPath(definition.partitionKey), old.partitionKeyPath)) {
        throw badRequest('Document collection partition key cannot be changed.');
      }
      const { _rid, _self, _etag, _docs, _sprocs, _triggers, _udfs, _conflicts } = old.resource;
      const system = { _rid, _self, _docs, _sprocs, _triggers, _udfs, _conflicts } as JsonObject;
      const resource: JsonObject = {
        ...definition,
        ...system,
        _etag: nextEtag(String(_etag)),
        _ts: seconds(),
      };
      const container = containerEntry(database, old.number, resource, old.ranges);
      reindexItems(this.#store, container);
      const stored = { partitions: old.ranges.length, resource };
      this.#store.meta.putSync(['container', database.number, old.number], stored);
      this.#containers.set(container.link, container);
      return container;
    });
  }

  async deleteDatabase(id: string): Promise<void> {
    await this.#store.commit(() => {
      const database = this.database(id);
      for (const container of this.containers(database)) this.#removeContainer(container);
      this.#store.meta.removeSync(['database', database.number]);
      this.#databases.delete(id);
    });
  }

  async deleteContainer(databaseId: string, containerId: string): Promise<void> {
    await this.#store.commit(() => this.#removeContainer(this.container(databaseId, containerId)));
  }

  #removeContainer(container: ContainerEntry): void {
    const { meta, heads, bodies, feed, partitionFeed, index, expiry } = this.#store;
    for (const table of [heads, bodies, feed, partitionFeed, index]) {
      for (const key of [...table.getKeys(withPrefix(container.number))]) table.removeSync(key);
    }
    for (const key of [...expiry.getKeys({})]) if (key[1] === container.number) expiry.removeSync(key);
    for (const key of [...meta.getKeys(withPrefix('lsn', container.number))]) meta.removeSync(key);
    meta.removeSync(['container', container.databaseNumber, container.number]);
    this.#containers.delete(container.link);
  }

  #nextNumber(counter: string): number {
    const next = Number(this.#store.meta.get([counter]) ?? 0) + 1;
    this.#store.meta.putSync([counter], next);
    return next;
  }
}

function containerEntry(
  database: DatabaseEntry,
  number: number,
  resource: JsonObject,
  ranges: readonly PartitionRange[],
): ContainerEntry {
  return {
    number,
    databaseNumber: database.number,
    id: String(resource.id),
    resourceId: String(resource._rid),
    link: linkOf(database.id, String(resource.id)),
    selfLink: String(resource._self),
    resource,
    partitionKeyPath: partitionKeyPath(resource.partitionKey),
    ranges,
    indexing: parseIndexingPolicy(resource.indexingPolicy),
    defaultTtl: timeToLive(resource.defaultTtl),
  };
}

/** What a client says of a container, as it is stored and returned. @throws CosmosError 400 or 501 */
function containerDefinition(body: JsonObject) {
  for (const feature of UNSUPPORTED_FEATURES) {
    if (isUsed(body[feature])) throw notSupported(`The container property ${feature}`);
  }
  timeToLive(body.defaultTtl);
  return {
    ...body,
    id: resourceName(body),
    partitionKey: partitionKeyDefinition(body.partitionKey),
    indexingPolicy: parseIndexingPolicy(body.indexingPolicy).definition,
  };
}

/** The definition as stored and returned: hashed by version 2, the only one that is emulated. */
function partitionKeyDefinition(given: JsonValue | undefined): JsonObject {
  if (!isJsonObject(given) || !Array.isArray(given.paths)) {
    throw badRequest('The partition key definition must be given as {paths, kind, version}.');
  }
  const { kind = 'Hash', version = 2 } = given;
  if (given.paths.length > 1 || kind === 'MultiHash') throw notSupported('A hierarchical partition key');
  if (version !== 2) throw notSupported('A partition key definition of another version than 2');
  const [path] = given.paths;
  if (kind !== 'Hash' || typeof path !== 'string' || !/^\/[^/]/.test(path)) {
    throw badRequest(
      `The partition key component definition path ${JSON.stringify(path ?? null)} could not be accepted.`,
    );
  }
  return { ...given, kind, version };
}

function partitionKeyPath(definition: JsonValue | undefined): string[] {
  const [path] = isJsonObject(definition) && Array.isArray(definition.paths) ? definition.paths : [];
  return splitPath(String(path));
}

function resourceName(body: JsonObject): string {
  const { id } = body;
  if (typeof id !== 'string' || id === '' || id.length > MAX_ID_CHARACTERS || /[/\\?#]|\s$/.test(id)) {
    throw badRequest(`The resource id ${JSON.stringify(id ?? null)} is invalid.`);
  }
  return id;
}

function isUsed(value: JsonValue | undefined): boolean {
  if (value === undefined || value === null) return false;
  if (Array.isArray(value)) return value.length > 0;
  return !isJsonObject(value) || Object.values(value).some(isUsed);
}

function linkOf(databaseId: string, id: string): string {
  return `dbs/${databaseId}/colls/${id}`;
}

function refuseOwner(): never {
  throw notFound('Owner resource does not exist', SUB_STATUS.ownerResourceNotFound);
}

function alreadyExists(): CosmosError {
  return new CosmosError(409, 'Resource with specified id or name already exists.');
}

function resourceEtag(number: number): string {
  return `"00000000-0000-0000-0000-${number.toString(16).padStart(12, '0')}"`;
}

/** Counts the replacements of a resource in the first group of its etag. */
function nextEtag(etag: string): string {
  const replacements = Number.parseInt(etag.slice(1, 9), 16) + 1;
  return `"${replacements.toString(16).padStart(8, '0')}${etag.slice(9)}`;
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
