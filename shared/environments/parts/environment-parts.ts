import { readCursor, writeCursor } from '../../platform/cursor.ts';
import { conflict, notFound, type SkerryError, unavailable, unprocessable } from '../../platform/errors.ts';
import {
  type Author,
  canonicalPath,
  checkPrecondition,
  type Precondition,
} from '../../platform/http/index.ts';
import { jsonEquals } from '../../platform/json-equals.ts';
import type { Listing, RaisedAlarm, Records, StoredRecord } from '../../records/index.ts';
import {
  ENVIRONMENT_KIND,
  type EnvironmentValue,
  environmentKey,
  environmentScope,
  groupsPrefix,
  type ResourceGroupValue,
  type ResourceValue,
  resourcesPrefix,
  type Tag,
  type TemplateUse,
} from '../environment.ts';
import { hasTags, unknownEnvironment } from '../environments.ts';
import { GROUP_PREFIX } from '../name.ts';
import { findCircle, type PartsOfEnvironment } from './circle.ts';

/** What resources and groups have in common. */
export interface PartValue {
  readonly tags: readonly Tag[];
  /** Of what a template made. */
  readonly template?: TemplateUse;
}

/** A resource or a group with its address. */
export type Part<Value> = Value & {
  readonly id: string;
  readonly environment: string;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
};

/** A part as it stands after it was written. */
export interface WrittenPart<Value> {
  readonly part: Part<Value>;
  readonly created: boolean;
}

export interface PartAddress {
  readonly ns: string;
  readonly environment: string;
  readonly id: string;
}

export interface PartListRequest<Value> {
  /** Only those of one environment. */
  readonly environment?: string | undefined;
  /** `NAME:VALUE`; it has all of them. */
  readonly tags?: readonly string[];
  readonly where?: (value: Value) => boolean;
  readonly limit: number;
  /** Cursor: the `next` of the page before. */
  readonly after?: string | undefined;
}

export interface WriteOptions {
  readonly author: Author;
  readonly precondition?: Precondition | undefined;
}

export interface PartKind<Value> {
  /** For messages. */
  readonly noun: 'resource' | 'resource group';
  prefix(environment: string): string;
  /** How others name it: `ID` or `group:ID`. */
  reference(id: string): string;
  /** The parts with one more, or another one in its place. */
  withPart(parts: PartsOfEnvironment, id: string, value: Value): PartsOfEnvironment;
  /** Names that the value refers to and the environment does not have. */
  unknownNames(value: Value, parts: PartsOfEnvironment): readonly string[];
  /** Has the sweep look at the environment, where what is written changes how that is. */
  raise?(ns: string, environment: string): Promise<RaisedAlarm>;
}

/** Environments that are looked at for one page. */
const MAX_LOOKED_AT = 100;
/** Records of one environment. */
const MAX_PARTS = 5_000;
/** How often a write may find that it comes too late for the alarm that was raised for it. */
const MAX_ATTEMPTS = 10;

class NeedsAlarm extends Error {}

/** The resources of environments, or their groups: those that templates made, which commands change, and those that somebody wrote down. */
export class EnvironmentParts<Value extends PartValue> {
  readonly #records: Records;
  readonly #kind: PartKind<Value>;

  constructor(records: Records, kind: PartKind<Value>) {
    this.#records = records;
    this.#kind = kind;
  }

  async get({ ns, environment, id }: PartAddress): Promise<Part<Value> | undefined> {
    const key = this.#kind.prefix(environment) + id;
    const record = await this.#records.get<Value>(environmentScope(ns, environment), key);
    return record && toPart(environment, id, record);
  }

  /** A page of them, by environment and id; each environment is as it is when it is read. */
  async list(
    ns: string,
    { environment, tags = [], where = () => true, limit, after }: PartListRequest<Value>,
  ): Promise<{ readonly items: readonly Part<Value>[]; readonly next?: string }> {
    const cursor = after === undefined ? undefined : readCursor(after, takeCursor);
    const items: Part<Value>[] = [];
    let lookedAt = 0;
    for await (const name of this.#environments(ns, environment, cursor?.environment)) {
      if (lookedAt === MAX_LOOKED_AT) {
        return { items, next: writeCursor([name, '']) };
      }
      lookedAt += 1;
      const behind = cursor?.environment === name ? cursor.id : '';
      for await (const part of this.#partsBehind(ns, name, behind)) {
        const isWanted = hasTags(part.tags, tags) && where(part);
        const last = items.at(-1);
        if (isWanted && last !== undefined && items.length === limit) {
          return { items, next: writeCursor([last.environment, last.id]) };
        }
        if (isWanted) items.push(part);
      }
    }
    return { items };
  }

  /**
   * Writes one down by hand, or replaces what was.
   *
   * @param decideValue the value, made from what stands there.
   * @throws SkerryError `not-found` without the environment; `conflict` where a template made what stands there, or the environment is on
   *   its way out; `unprocessable` for what it refers to and is not there, and for a circle; `precondition-failed`.
   */
  async put(
    address: PartAddress,
    decideValue: (current: Value | undefined) => Value,
    { author, precondition }: WriteOptions,
  ): Promise<WrittenPart<Value>> {
    const { environment, id } = address;
    const key = this.#kind.prefix(environment) + id;
    const { commits } = await this.#change(address, author, (current) => {
      const record = current.get(key) as StoredRecord<Value> | undefined;
      checkPrecondition(precondition, record);
      this.#checkByHand(address, record);
      const value = decideValue(record?.value);
      if (jsonEquals(value, record?.value)) return [];
      this.#checkReferences(partsOf(environment, current), id, value);
      return [{ key, decision: { type: 'put', value: value } }];
    });
    const commit = commits.get(key);
    if (commit?.record === undefined) {
      throw new Error(`The record ${key} is gone after it was put.`);
    }
    return {
      part: toPart(environment, id, commit.record as StoredRecord<Value>),
      created: commit.previous === undefined,
    };
  }

  /**
   * Removes one that was written down by hand.
   *
   * @returns the revision of its removal.
   * @throws SkerryError `not-found`; `conflict` where a template made it, or others refer to it; `precondition-failed`.
   */
  async delete(address: PartAddress, { author, precondition }: WriteOptions): Promise<number> {
    const { environment, id } = address;
    const key = this.#kind.prefix(environment) + id;
    const { revision } = await this.#change(address, author, (current) => {
      const record = current.get(key) as StoredRecord<Value> | undefined;
      if (record === undefined) {
        throw this.unknown(address);
      }
      checkPrecondition(precondition, record);
      this.#checkByHand(address, record);
      checkUnreferenced(partsOf(environment, current), this.#kind.reference(id));
      return [{ key, decision: { type: 'delete' } }];
    });
    return revision;
  }

  /** The error for one that does not exist. */
  unknown(address: PartAddress): SkerryError {
    return unknownPart(this.#kind.noun, address);
  }

  /** Runs a change, decided soon enough after the alarm that it needs was raised. */
  async #change(address: PartAddress, author: Author, decide: Decide) {
    const { ns, environment } = address;
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const alarm = await this.#kind.raise?.(ns, environment);
      try {
        return await this.#transact(address, author, (current) => {
          const writes = decide(current);
          if (writes.length > 0 && alarm?.isRecent() === false) {
            throw new NeedsAlarm();
          }
          return writes;
        });
      } catch (error) {
        if (!(error instanceof NeedsAlarm)) throw error;
      }
    }
    throw unavailable(`Writes of the environment "${environment}" take too long at the moment.`);
  }

  async #transact({ ns, environment, id }: PartAddress, author: Author, decide: Decide) {
    const key = environmentKey(environment);
    return await this.#records.transact<unknown>(environmentScope(ns, environment), {
      ...author,
      keys: [key, this.#kind.prefix(environment) + id],
      range: { prefix: `${key}/`, limit: MAX_PARTS },
      decide: (current) => {
        const value = current.get(key)?.value as EnvironmentValue | undefined;
        if (value === undefined) {
          throw unknownEnvironment(ns, environment);
        }
        if (value.state === 'Destroying' || value.state === 'Destroyed') {
          throw conflict(`The environment "${environment}" is ${value.state}.`, {
            fix: 'Write down what belongs to environments that are there.',
          });
        }
        return { writes: decide(current) };
      },
    });
  }

  #checkByHand({ ns, environment }: PartAddress, record: StoredRecord<Value> | undefined): void {
    const template = record?.value.template;
    if (template !== undefined) {
      throw conflict(`The template "${template.id}" made this ${this.#kind.noun}.`, {
        fix: `Change the template, then update the environment with PUT ${canonicalPath(ns, `environments/${environment}`)}.`,
      });
    }
  }

  #checkReferences(parts: PartsOfEnvironment, id: string, value: Value): void {
    const next = this.#kind.withPart(parts, id, value);
    const [unknown] = this.#kind.unknownNames(value, next);
    if (unknown !== undefined) {
      throw unprocessable(`The environment has no "${unknown}".`, {
        field: 'dependencies',
        fix: 'Name a resource by its id, a group as "group:ID", and what Skerry does not keep as {"external": "…"}.',
      });
    }
    const circle = findCircle(next);
    if (circle !== undefined) {
      throw unprocessable(`The dependencies go in a circle: ${circle.join(' -> ')}.`, {
        field: 'dependencies',
        fix: 'Take one of them out.',
      });
    }
  }

  /** The ids of environments, from one on. */
  async *#environments(
    ns: string,
    only: string | undefined,
    from: string | undefined,
  ): AsyncGenerator<string, void> {
    if (only !== undefined) {
      yield only;
      return;
    }
    if (from !== undefined) {
      yield from;
    }
    let after = from === undefined ? undefined : writeCursor([from]);
    do {
      const page = await this.#records.listed(ns, ENVIRONMENT_KIND, { after, limit: MAX_LOOKED_AT });
      for (const { scope } of page.records) yield scope.name;
      after = page.next;
    } while (after !== undefined);
  }

  async *#partsBehind(ns: string, environment: string, id: string): AsyncGenerator<Part<Value>, void> {
    const prefix = this.#kind.prefix(environment);
    let after: string | undefined = writeCursor([prefix + id]);
    do {
      const page: Listing<Value> = await this.#records.list(environmentScope(ns, environment), {
        prefix,
        after,
      });
      for (const record of page.records) {
        yield toPart(environment, record.key.slice(prefix.length), record);
      }
      after = page.next;
    } while (after !== undefined);
  }
}

/** The error for a resource or a group that does not exist. */
export function unknownPart(
  noun: PartKind<unknown>['noun'],
  { ns, environment, id }: PartAddress,
): SkerryError {
  const path = noun === 'resource' ? 'resources' : 'resource-groups';
  return notFound(`The environment "${environment}" has no ${noun} "${id}".`, {
    fix: `Those that there are: GET ${canonicalPath(ns, path)}.`,
  });
}

type Decide = (current: ReadonlyMap<string, StoredRecord<unknown>>) => readonly {
  readonly key: string;
  readonly decision: { readonly type: 'put'; readonly value: unknown } | { readonly type: 'delete' };
}[];

function toPart<Value>(environment: string, id: string, record: StoredRecord<Value>): Part<Value> {
  const { value, revision, createdAt, updatedAt } = record;
  return { id, environment, ...value, revision, createdAt, updatedAt };
}

function partsOf(
  environment: string,
  current: ReadonlyMap<string, StoredRecord<unknown>>,
): PartsOfEnvironment {
  return {
    resources: partsUnder<ResourceValue>(resourcesPrefix(environment), current),
    groups: partsUnder<ResourceGroupValue>(groupsPrefix(environment), current),
  };
}

function partsUnder<Value>(
  prefix: string,
  current: ReadonlyMap<string, StoredRecord<unknown>>,
): ReadonlyMap<string, Value> {
  return new Map(
    [...current.values()]
      .filter(({ key }) => key.startsWith(prefix))
      .map(({ key, value }) => [key.slice(prefix.length), value as Value]),
  );
}

function checkUnreferenced({ resources, groups }: PartsOfEnvironment, reference: string): void {
  const users = [
    ...[...resources].filter(([, { dependencies }]) => dependencies.includes(reference)).map(([id]) => id),
    ...[...groups]
      .filter(([, group]) => group.dependencies.includes(reference) || group.resources.includes(reference))
      .map(([id]) => GROUP_PREFIX + id),
  ];
  if (users.length > 0) {
    throw conflict(`It is needed by ${users.slice(0, 10).join(', ')}.`, {
      fix: 'Take it out of their dependencies and resources first.',
    });
  }
}

function takeCursor([environment, id]: readonly unknown[]):
  | { readonly environment: string; readonly id: string }
  | undefined {
  return typeof environment === 'string' && typeof id === 'string' ? { environment, id } : undefined;
}
