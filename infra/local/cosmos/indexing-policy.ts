import { badRequest } from './cosmos-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';

/** What a container indexes. Terms decide what a write costs; scalar paths get an index of their own in storage. */
export interface IndexingPolicy {
  /** The policy as stored and returned, defaults filled in. */
  readonly definition: JsonObject;
  /** Paths listed one by one (`/revision/?`), as property names: the ones that queries can seek in. */
  readonly scalarPaths: readonly (readonly string[])[];
  readonly compositeIndexes: readonly (readonly CompositePath[])[];
  readonly tree: IndexTree;
}

export interface CompositePath {
  readonly path: readonly string[];
  readonly descending: boolean;
}

/** Included and excluded paths as a tree of property names; the most specific path decides (Cosmos DB docs, index policy). */
interface IndexTree {
  readonly children: Map<string, IndexTree>;
  /** What `/path/?` says of the value itself. */
  scalar?: boolean;
  /** What `/path/*` says of everything below. */
  subtree?: boolean;
}

const DEFAULT_POLICY: JsonObject = {
  indexingMode: 'consistent',
  automatic: true,
  includedPaths: [{ path: '/*' }],
  excludedPaths: [{ path: '/"_etag"/?' }],
};

const SYSTEM_INDEXED = [['id'], ['_ts']];

/** @throws CosmosError 400 when the policy is not one that the service takes. */
export function parseIndexingPolicy(given: JsonValue | undefined): IndexingPolicy {
  if (given !== undefined && !isJsonObject(given)) throw badRequest('The indexing policy must be an object.');
  const definition = withDefaults(given ?? DEFAULT_POLICY);
  const indexed = definition.indexingMode === 'consistent';
  const included = indexed ? readPaths(definition, 'includedPaths') : [];
  const excluded = readPaths(definition, 'excludedPaths');
  const tree: IndexTree = { children: new Map() };
  for (const path of included) insertPath(tree, path, true);
  for (const path of excluded) insertPath(tree, path, false);
  if (indexed && tree.subtree === undefined) {
    throw badRequest('The special mandatory indexing path "/" is not provided in any of the path type sets.');
  }
  if (indexed) for (const path of SYSTEM_INDEXED) insertPath(tree, [...path, '?'], true);
  const scalarPaths = included
    .filter((path) => path.at(-1) === '?' && !path.includes('[]'))
    .map((path) => path.slice(0, -1));
  return { definition, scalarPaths, compositeIndexes: readCompositeIndexes(definition), tree };
}

function withDefaults(given: JsonObject): JsonObject {
  const mode = given.indexingMode ?? 'consistent';
  const normalizedMode = typeof mode === 'string' ? mode.toLowerCase() : mode;
  if (normalizedMode !== 'consistent' && normalizedMode !== 'none') {
    throw badRequest(`The indexing mode ${JSON.stringify(mode)} is not supported.`);
  }
  if (normalizedMode === 'none') return { ...given, indexingMode: 'none', automatic: false };
  const names = ['includedPaths', 'excludedPaths'];
  const paths = names.some((name) => name in given) ? {} : DEFAULT_POLICY;
  return { ...paths, ...given, indexingMode: 'consistent', automatic: given.automatic ?? true };
}

function readPaths(definition: JsonObject, name: string): string[][] {
  const list = definition[name] ?? [];
  if (!Array.isArray(list)) throw badRequest(`The indexing policy's ${name} must be an array.`);
  return list.map((entry) => {
    const path = isJsonObject(entry) ? entry.path : undefined;
    if (typeof path !== 'string') throw badRequest(`Each of the indexing policy's ${name} needs a path.`);
    const segments = splitPath(path);
    const end = segments.at(-1);
    if (end !== '?' && end !== '*') {
      throw badRequest(`The indexing path '${path}' could not be accepted: it must end in '/?' or '/*'.`);
    }
    return segments;
  });
}

/** Property names of a path; names may be quoted (`/"_etag"/?`). */
export function splitPath(path: string): string[] {
  if (!path.startsWith('/')) throw badRequest(`The path '${path}' must start with '/'.`);
  const segments = path.match(/"(?:[^"\\]|\\.)*"|[^/]+/g) ?? [];
  return segments.map((segment) => (segment.startsWith('"') ? segment.slice(1, -1) : segment));
}

function insertPath(tree: IndexTree, path: readonly string[], included: boolean): void {
  let node = tree;
  for (const name of path.slice(0, -1)) {
    const child: IndexTree = node.children.get(name) ?? { children: new Map() };
    node.children.set(name, child);
    node = child;
  }
  if (path.at(-1) === '?') node.scalar = included;
  else node.subtree = included;
}

function readCompositeIndexes(definition: JsonObject): CompositePath[][] {
  const list = definition.compositeIndexes ?? [];
  if (!Array.isArray(list)) throw badRequest("The indexing policy's compositeIndexes must be an array.");
  return list.map((entry) => {
    if (!Array.isArray(entry) || entry.length < 2) {
      throw badRequest('The number of paths in a composite index must be at least two.');
    }
    return entry.map((item) => {
      if (!isJsonObject(item) || typeof item.path !== 'string') {
        throw badRequest('Each part of a composite index needs a path.');
      }
      return { path: splitPath(item.path), descending: item.order === 'descending' };
    });
  });
}

/** Whether a query may order by this path: the value itself is indexed. */
export function isPathIndexed(policy: IndexingPolicy, path: readonly string[]): boolean {
  let node: IndexTree | undefined = policy.tree;
  let inherited = node.subtree ?? false;
  for (const name of path) {
    node = node?.children.get(name);
    inherited = node?.subtree ?? inherited;
  }
  return node?.scalar ?? inherited;
}

/**
 * The index terms of an item, one hash for each indexed leaf value. A create pays for all of them, a replace for those
 * that changed.
 */
export function indexedTerms(policy: IndexingPolicy, item: JsonObject): number[] {
  const terms: number[] = [];
  collectTerms(item, '', policy.tree, policy.tree.subtree ?? false, terms);
  return terms;
}

function collectTerms(
  value: JsonValue,
  path: string,
  node: IndexTree | undefined,
  inherited: boolean,
  terms: number[],
): void {
  if (typeof value !== 'object' || value === null) {
    if (node?.scalar ?? inherited) terms.push(hashText(`${path}=${JSON.stringify(value)}`));
    return;
  }
  for (const [key, child] of Object.entries(value)) {
    const name = Array.isArray(value) ? '[]' : key;
    const childNode = node?.children.get(name);
    if (childNode === undefined && !inherited) continue;
    collectTerms(child, `${path}/${name}`, childNode, childNode?.subtree ?? inherited, terms);
  }
}

/** FNV-1a, 32 bits. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
