import type { Json, Scope } from '../records/index.ts';

/** What can be found. `service` stands for all instances of one. */
export const SEARCHABLE_KINDS = [
  'app',
  'service',
  'instance',
  'key',
  'bundle',
  'channel',
  'template',
  'environment',
  'resource',
  'resource-group',
  'operation',
] as const;

export type SearchableKind = (typeof SEARCHABLE_KINDS)[number];

/** The kinds of scopes whose records can be found, all of them public. */
export const SEARCHED_SCOPES = ['app', 'srv', 'kv', 'bundle', 'tpl', 'env', 'op'] as const;

const SCOPE_OF: Readonly<Record<SearchableKind, (typeof SEARCHED_SCOPES)[number]>> = {
  app: 'app',
  service: 'srv',
  instance: 'srv',
  key: 'kv',
  bundle: 'bundle',
  channel: 'bundle',
  template: 'tpl',
  environment: 'env',
  resource: 'env',
  'resource-group': 'env',
  operation: 'op',
};

/** The ranges of keys, such as `/app/`, in which some kinds are searched for. */
export function rangesOf(kinds: readonly SearchableKind[]): string[] {
  return [...new Set(kinds.map((kind) => `/${SCOPE_OF[kind]}/`))];
}

/** What is compared with a question, of one record. */
export interface Searchable {
  readonly kind: SearchableKind;
  /** As the paths of its API have it, such as `ENVIRONMENT/RESOURCE`. */
  readonly id: string;
  readonly name?: string;
  readonly description?: string;
  /** `name:value`, or a name alone. */
  readonly tags: readonly string[];
  /** The other texts of its value. */
  readonly texts: readonly string[];
}

type Members = { readonly [name: string]: Json | undefined };

/** Characters of one record's texts, description or name that are looked at. */
const MAX_CHARACTERS = 4_096;

/** What there is to be found in a record; undefined where it is none that is searched, such as a step or a lane. */
export function searchableOf(scope: Scope, key: string, value: unknown): Searchable | undefined {
  const [, , ...segments] = key.split('/');
  const kind = kindOf(scope.kind, segments);
  if (kind === undefined) {
    return undefined;
  }
  const { name, description, tags, ...rest } = membersOf(kind, value);
  return {
    kind,
    id: idOf(kind, segments),
    ...(typeof name === 'string' && { name: name.slice(0, MAX_CHARACTERS) }),
    ...(typeof description === 'string' && { description: description.slice(0, MAX_CHARACTERS) }),
    tags: tagsOf(tags),
    texts: [...firstTexts(rest)],
  };
}

/** The members of a value that mean something to Skerry; what keys and configurations hold is somebody else's. */
function membersOf(kind: SearchableKind, value: unknown): Members {
  if (!isObject(value) || kind === 'key') {
    return { value: value as Json };
  }
  return kind === 'app' ? { value: [value.config ?? null, value.extra ?? null] } : value;
}

/** The kind of a key, by its segments behind the first. */
function kindOf(scopeKind: string, segments: readonly string[]): SearchableKind | undefined {
  const [, part] = segments;
  switch (scopeKind) {
    case 'app':
      return 'app';
    case 'srv':
      return 'instance';
    case 'kv':
      return 'key';
    case 'bundle':
      return segments.length === 1 ? 'bundle' : part === 'channels' ? 'channel' : undefined;
    case 'tpl':
      return segments.length === 1 ? 'template' : undefined;
    case 'env':
      if (segments.length === 1) return 'environment';
      return part === 'resources' ? 'resource' : part === 'groups' ? 'resource-group' : undefined;
    case 'op':
      return segments.length === 1 ? 'operation' : undefined;
    default:
      return undefined;
  }
}

function idOf(kind: SearchableKind, segments: readonly string[]): string {
  const isPart = kind === 'channel' || kind === 'resource' || kind === 'resource-group';
  return isPart ? `${segments[0]}/${segments.slice(2).join('/')}` : segments.join('/');
}

function tagsOf(tags: unknown): string[] {
  const list: unknown[] = Array.isArray(tags) ? tags : [];
  return list.flatMap((tag) => {
    if (typeof tag === 'string') return [tag];
    return isObject(tag) && typeof tag.name === 'string' ? [`${tag.name}:${String(tag.value)}`] : [];
  });
}

/** The texts in a value, up to `MAX_CHARACTERS` together; of content that is no text, as keys may hold, and of secrets, nothing. */
function* firstTexts(value: unknown): Generator<string> {
  let room = MAX_CHARACTERS;
  const pending: unknown[] = [value];
  while (pending.length > 0 && room > 0) {
    const next = pending.pop();
    if (typeof next === 'string' && next !== '') {
      const text = next.slice(0, room);
      room -= text.length;
      yield text;
    } else if (Array.isArray(next)) {
      pending.push(...next.slice(0, room).reverse());
    } else if (isObject(next) && !('$bytes' in next) && !('$secret' in next)) {
      pending.push(...Object.values(next).slice(0, room).reverse());
    }
  }
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
