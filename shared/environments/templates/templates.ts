import type { LaneValue } from '../../operations/index.ts';
import { conflict, notFound, type SkerryError, tooLarge, unavailable } from '../../platform/errors.ts';
import {
  type Author,
  canonicalPath,
  checkPrecondition,
  type Precondition,
} from '../../platform/http/index.ts';
import { jsonEquals } from '../../platform/json-equals.ts';
import type { Json, Records, StoredRecord } from '../../records/index.ts';
import { refuseFaults } from '../faults.ts';
import { usersOfTemplate } from '../template-users.ts';
import { checkTemplate } from './check-template.ts';
import { checkOtherTemplates } from './other-templates.ts';
import {
  TEMPLATE_KIND,
  type TemplateDefinition,
  type TemplateValue,
  type TemplateVersionValue,
  templateKey,
  templateLaneKey,
  templateScope,
  templateVersionKey,
  templateVersionsPrefix,
} from './template.ts';

/** Bytes of a template as JSON. */
export const MAX_TEMPLATE_BYTES = 256 * 1024;
/** Environments that are told to whoever wants to delete what they are made from. */
const MAX_USERS = 100;
/** How often a write may find that somebody else came first. */
const MAX_ATTEMPTS = 10;

interface Dates {
  readonly revision: number;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A version of a template. */
export interface Template extends TemplateDefinition, Dates {
  readonly id: string;
  readonly version: number;
}

/** What a listing shows of a template. */
export interface TemplateSummary extends Omit<TemplateValue, 'latest'>, Dates {
  readonly id: string;
  /** The newest. */
  readonly version: number;
}

export interface TemplateVersionSummary {
  readonly version: number;
  readonly name: string;
  readonly description?: string;
  readonly commit?: string;
  readonly createdAt: string;
}

interface Page {
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface TemplateWrite {
  readonly author: Author;
  readonly precondition?: Precondition | undefined;
  /** The operation that has to have the template's lane still. */
  readonly operation?: string;
}

export interface TemplateDeletion extends Pick<TemplateWrite, 'author' | 'precondition'> {
  /** Whether a refusal may name an environment that uses the template; any unless given. */
  readonly mayTell?: (environment: string) => boolean;
}

export interface TemplatesOptions {
  readonly records: Records;
  readonly isExecutor: (name: string) => boolean;
}

/**
 * The templates of a namespace. Their versions never change, and outlive the template: what was made from one can be destroyed by it. All
 * methods throw SkerryError `unavailable` when storage does not answer.
 */
export class Templates {
  readonly #records: Records;
  readonly #isExecutor: (name: string) => boolean;

  constructor({ records, isExecutor }: TemplatesOptions) {
    this.#records = records;
    this.#isExecutor = isExecutor;
  }

  /** The newest version of a template; undefined where there is none. */
  async get(ns: string, id: string): Promise<Template | undefined> {
    const head = await this.#records.get<TemplateValue>(templateScope(ns), templateKey(id));
    const version = head && (await this.version(ns, id, head.value.latest));
    return version && { ...version, revision: head.revision, createdAt: head.createdAt };
  }

  /** A version, also of a template that was deleted since. */
  async version(ns: string, id: string, version: number): Promise<Template | undefined> {
    const key = templateVersionKey(id, version);
    const record = await this.#records.get<TemplateVersionValue>(templateScope(ns), key);
    return record && { id, ...record.value, ...datesOf(record) };
  }

  /** A page of the templates, in the order of their ids; each is as it is when it is read. */
  async list(ns: string, page: Page): Promise<{ items: TemplateSummary[]; next?: string }> {
    const { records, next } = await this.#records.listed<TemplateValue>(ns, TEMPLATE_KIND, page);
    return { items: records.map(({ record }) => toSummary(record)), ...(next !== undefined && { next }) };
  }

  /**
   * A page of the versions of a template, the newest first.
   *
   * @throws SkerryError `not-found`.
   */
  async versions(
    ns: string,
    id: string,
    page: Page,
  ): Promise<{ items: TemplateVersionSummary[]; next?: string }> {
    const [head, { records, next }] = await Promise.all([
      this.#records.get(templateScope(ns), templateKey(id)),
      this.#records.list<TemplateVersionValue>(templateScope(ns), {
        ...page,
        prefix: templateVersionsPrefix(id),
        order: 'descending',
      }),
    ]);
    if (head === undefined) {
      throw unknownTemplate(ns, id);
    }
    const items = records.map(({ value: { version, name, description, commit }, createdAt }) => ({
      version,
      name,
      ...(description !== undefined && { description }),
      ...(commit !== undefined && { commit }),
      createdAt,
    }));
    return { items, ...(next !== undefined && { next }) };
  }

  /**
   * What is wrong with a template.
   *
   * @throws SkerryError `too-large`; `unprocessable` with all faults.
   */
  async check(ns: string, id: string, definition: TemplateDefinition): Promise<void> {
    const bytes = Buffer.byteLength(JSON.stringify(definition));
    if (bytes > MAX_TEMPLATE_BYTES) {
      throw tooLarge(`The template has ${bytes} bytes; ${MAX_TEMPLATE_BYTES} are allowed.`, {
        fix: 'Keep large content in a bundle and name it in the commands, or make several templates of it.',
      });
    }
    refuseFaults(checkTemplate(id, definition, this.#isExecutor));
    refuseFaults(await checkOtherTemplates(id, definition, (other) => this.get(ns, other)));
  }

  /**
   * Makes the next version of a template, and the template where there is none. What is the newest version already changes nothing.
   *
   * @throws SkerryError what `check` throws; `precondition-failed`; `conflict` where the operation no longer has the lane.
   */
  async put(
    ns: string,
    id: string,
    definition: TemplateDefinition,
    write: TemplateWrite,
  ): Promise<{ template: Template; created: boolean }> {
    await this.check(ns, id, definition);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const latest = await this.#latestOf(ns, id);
      const outcome = await this.#putAfter(latest, ns, id, definition, write);
      if (outcome !== undefined) {
        return outcome;
      }
    }
    throw unavailable(`The template "${id}" is written too often at the moment.`);
  }

  /** @returns undefined where another version came first. */
  async #putAfter(
    latest: number,
    ns: string,
    id: string,
    definition: TemplateDefinition,
    { author, precondition, operation }: TemplateWrite,
  ): Promise<{ template: Template; created: boolean } | undefined> {
    const [head, newest, next, lane] = [
      templateKey(id),
      templateVersionKey(id, latest),
      templateVersionKey(id, latest + 1),
      templateLaneKey(id),
    ];
    const value = { ...definition, version: latest + 1 };
    const { decided, commits } = await this.#records.transact<Json, PutDecision>(templateScope(ns), {
      keys: [head, newest, next, lane],
      ...author,
      decide: (current) => {
        const standing = current.get(head) as StoredRecord<TemplateValue> | undefined;
        checkPrecondition(precondition, standing);
        if (operation !== undefined) {
          checkLane(current.get(lane), operation);
        }
        if (current.has(next) || (standing !== undefined && standing.value.latest !== latest)) {
          return { writes: [], version: undefined };
        }
        const same = { ...definition, version: latest };
        if (standing !== undefined && jsonEquals(current.get(newest)?.value, same)) {
          return { writes: [], version: latest };
        }
        return {
          writes: [
            { key: next, decision: { type: 'put', value: value as unknown as Json } },
            {
              key: head,
              decision: { type: 'put', value: { ...headOf(definition), latest: latest + 1 }, listed: id },
            },
          ],
          version: latest + 1,
        };
      },
    });
    const record = commits.get(head)?.record;
    const version = commits.get(decided.version === latest ? newest : next)?.record;
    if (decided.version === undefined || record === undefined || version === undefined) {
      return undefined;
    }
    const template = {
      id,
      ...definition,
      version: decided.version,
      revision: record.revision,
      createdAt: record.createdAt,
      updatedAt: version.updatedAt,
    };
    return { template, created: commits.get(head)?.previous === undefined };
  }

  /**
   * Removes a template. Its versions stay for what was made from them, and are not numbered again.
   *
   * @returns the revision of the removal.
   * @throws SkerryError `not-found`; `precondition-failed`; `conflict` while environments use it.
   */
  async delete(
    ns: string,
    id: string,
    { author, precondition, mayTell = () => true }: TemplateDeletion,
  ): Promise<number> {
    const users = await this.#usersOf(ns, id);
    const told = users.filter(mayTell);
    const { revision } = await this.#records.commit<TemplateValue>(templateScope(ns), {
      key: templateKey(id),
      ...author,
      decide: (current) => {
        if (current === undefined) {
          throw unknownTemplate(ns, id);
        }
        checkPrecondition(precondition, current);
        if (users.length > 0) {
          const which = told.length === 0 ? '' : `: ${told.slice(0, 10).join(', ')}`;
          throw conflict(`Environments use the template "${id}"${which}.`, {
            fix: 'Destroy them first, or update them to do without it.',
            extensions: { environments: told.slice(0, MAX_USERS) },
          });
        }
        return { type: 'delete' };
      },
    });
    return revision;
  }

  /** Those that are not destroyed, as many as are told. */
  async #usersOf(ns: string, id: string): Promise<string[]> {
    const users: string[] = [];
    for await (const page of usersOfTemplate(this.#records, ns, id)) {
      users.push(...page.filter(({ value }) => value.state !== 'Destroyed').map((user) => user.id));
      if (users.length >= MAX_USERS) break;
    }
    return users;
  }

  /** The newest version, of a deleted template too; 0 where there is none. */
  async #latestOf(ns: string, id: string): Promise<number> {
    const head = await this.#records.get<TemplateValue>(templateScope(ns), templateKey(id));
    if (head !== undefined) {
      return head.value.latest;
    }
    const { records } = await this.#records.list<TemplateVersionValue>(templateScope(ns), {
      prefix: templateVersionsPrefix(id),
      order: 'descending',
      limit: 1,
    });
    return records[0]?.value.version ?? 0;
  }
}

interface PutDecision {
  readonly writes: readonly {
    readonly key: string;
    readonly decision: { readonly type: 'put'; readonly value: Json; readonly listed?: string };
  }[];
  /** The one that stands then; undefined where another came first. */
  readonly version: number | undefined;
}

/** The error for a template that does not exist, or has no such version. */
export function unknownTemplate(ns: string, id: string, version?: number): SkerryError {
  return version === undefined
    ? notFound(`There is no template "${id}".`, {
        fix: `Create it with PUT ${canonicalPath(ns, `templates/${id}`)}.`,
      })
    : notFound(`The template "${id}" has no version ${version}.`, {
        fix: `See which there are with GET ${canonicalPath(ns, `templates/${id}/versions`)}.`,
      });
}

function checkLane(record: StoredRecord<Json> | undefined, operation: string): void {
  const lane = record?.value as LaneValue | undefined;
  if (lane?.active?.operation !== operation) {
    throw conflict('The operation is no longer the one that works on the template.');
  }
}

function headOf({ name, description, tags, commit }: TemplateDefinition) {
  return {
    name,
    tags: tags.map((tag) => ({ ...tag })),
    ...(description !== undefined && { description }),
    ...(commit !== undefined && { commit }),
  };
}

function toSummary(record: StoredRecord<TemplateValue>): TemplateSummary {
  const { latest, ...value } = record.value;
  return { id: record.key.slice(templateKey('').length), version: latest, ...value, ...datesOf(record) };
}

function datesOf({ revision, createdAt, updatedAt }: StoredRecord<unknown>): Dates {
  return { revision, createdAt, updatedAt };
}
