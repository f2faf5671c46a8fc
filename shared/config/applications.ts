import { notFound, type SkerryError, tooLarge } from '../platform/errors.ts';
import { type Author, canonicalPath, checkPrecondition, type Precondition } from '../platform/http/index.ts';
import { jsonEquals } from '../platform/json-equals.ts';
import {
  type Decision,
  type Json,
  type ListOptions,
  MAX_VALUE_BYTES,
  type Records,
  type Scope,
  type StoredRecord,
} from '../records/index.ts';
import {
  type Application,
  type ApplicationValue,
  applicationKey,
  type JsonObject,
  type JsonSchema,
  toApplication,
} from './application.ts';
import { ConfigChecker } from './config-checker.ts';
import { type ConfigSecrets, checkNoSecrets, type SchemaView, type SecretPlace } from './config-secrets.ts';

export interface ApplicationInput {
  /** With secrets in clear or as they are shown; they are stored sealed. */
  readonly config: Json;
  /** Replaces the stored schema, with `undefined` removes it; `keep` leaves it in force. */
  readonly schema: JsonSchema | undefined | 'keep';
  /** Replaces the stored extra fields; without it they stay. */
  readonly extra?: JsonObject | undefined;
}

export interface WriteOptions {
  readonly author: Author;
  readonly precondition?: Precondition | undefined;
}

export interface ApplicationPut {
  readonly application: Application;
  readonly created: boolean;
}

export interface ApplicationListing {
  /** In the order of their names. */
  readonly applications: readonly Application[];
  /** Revision of the log that holds all applications of the namespace. */
  readonly revision: number;
  readonly ageSeconds: number;
  readonly next?: string;
}

/**
 * The configuration of applications. All methods throw SkerryError `unavailable` when storage does not answer.
 */
export class Applications {
  readonly #records: Records;
  readonly #secrets: ConfigSecrets;
  #checker: ConfigChecker | undefined;

  constructor(records: Records, secrets: ConfigSecrets) {
    this.#records = records;
    this.#secrets = secrets;
  }

  async get(ns: string, name: string): Promise<Application | undefined> {
    const record = await this.#records.get<ApplicationValue>(scopeOf(ns), applicationKey(name));
    return record && toApplication(record);
  }

  async list(ns: string, options?: ListOptions): Promise<ApplicationListing> {
    const { records, ...listing } = await this.#records.list<ApplicationValue>(scopeOf(ns), options);
    return { ...listing, applications: records.map(toApplication) };
  }

  /**
   * The configuration of an application with its secrets in clear, for those alone who may see them.
   *
   * @throws SkerryError `unprocessable` naming the path in `config` of a secret that cannot be had; `unavailable` where its key or its
   *   vault cannot be at the moment.
   */
  async reveal(ns: string, application: Application): Promise<Application> {
    const config = await this.#secrets.reveal(placeOf(ns, application.name), application.config);
    return { ...application, config };
  }

  /** Whether two configurations of an application are the same, whatever their secrets look like once they are sealed. */
  hasConfig(ns: string, name: string, config: Json, other: Json): boolean {
    return this.#secrets.areEqual(placeOf(ns, name), config, other);
  }

  /**
   * Creates or replaces an application. Storing what stands there already changes nothing.
   *
   * @throws SkerryError `too-large`; `unprocessable` naming the path in `config`, `schema` or `extra` that is at fault;
   *   `precondition-failed`.
   */
  async put(
    ns: string,
    name: string,
    input: ApplicationInput,
    { author, precondition }: WriteOptions,
  ): Promise<ApplicationPut> {
    checkSize(input.config);
    const view = this.#secrets.check(input.config);
    checkNoSecrets(input.extra ?? null, 'extra');
    if (input.schema !== 'keep' && input.schema !== undefined) {
      checkNoSecrets(input.schema, 'schema');
      (await this.#loadChecker()).check(view, input.schema);
    }
    const commit = await this.#withChecker(() =>
      this.#records.commit<ApplicationValue>(scopeOf(ns), {
        key: applicationKey(name),
        ...author,
        decide: (current) => {
          checkPrecondition(precondition, current);
          return this.#decidePut(placeOf(ns, name), input, view, current);
        },
      }),
    );
    if (commit.record === undefined) {
      throw new Error(`The record of application ${name} is gone after it was put.`);
    }
    return { application: toApplication(commit.record), created: commit.previous === undefined };
  }

  /**
   * Removes an application.
   *
   * @returns the revision of its removal.
   * @throws SkerryError `not-found`, `precondition-failed`.
   */
  async delete(ns: string, name: string, { author, precondition }: WriteOptions): Promise<number> {
    const { revision } = await this.#records.commit<ApplicationValue>(scopeOf(ns), {
      key: applicationKey(name),
      ...author,
      decide: (current) => {
        if (current === undefined) {
          throw unknownApplication(ns, name);
        }
        checkPrecondition(precondition, current);
        return { type: 'delete' };
      },
    });
    return revision;
  }

  #decidePut(
    place: SecretPlace,
    input: ApplicationInput,
    view: SchemaView,
    current: StoredRecord<ApplicationValue> | undefined,
  ): Decision<ApplicationValue> {
    if (input.schema === 'keep' && current?.value.schema !== undefined) {
      this.#loadedChecker().check(view, current.value.schema);
    }
    const config = this.#secrets.seal(place, input.config, current?.value.config);
    // Sealing makes a third more of a secret, and some hundred bytes.
    checkSize(config);
    const value = nextValue({ ...input, config }, current?.value);
    return jsonEquals(value, current?.value) ? { type: 'keep' } : { type: 'put', value };
  }

  /**
   * A decision cannot wait for the checker to load, and whether it needs one shows only there: load it then,
   * and try again.
   */
  async #withChecker<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof CheckerNotLoaded)) {
        throw error;
      }
      await this.#loadChecker();
      return await work();
    }
  }

  async #loadChecker(): Promise<ConfigChecker> {
    this.#checker ??= await ConfigChecker.load();
    return this.#checker;
  }

  #loadedChecker(): ConfigChecker {
    if (this.#checker === undefined) {
      throw new CheckerNotLoaded();
    }
    return this.#checker;
  }
}

class CheckerNotLoaded extends Error {}

/** The error for an application that does not exist. */
export function unknownApplication(ns: string, name: string): SkerryError {
  return notFound(`There is no application "${name}".`, {
    fix: `Create it with PUT ${canonicalPath(ns, `apps/${name}`)}.`,
  });
}

function placeOf(ns: string, name: string): SecretPlace {
  return [ns, applicationKey(name)];
}

function scopeOf(ns: string): Scope {
  return { ns, kind: 'app', name: '' };
}

function nextValue(input: ApplicationInput, current: ApplicationValue | undefined): ApplicationValue {
  const schema = input.schema === 'keep' ? current?.schema : input.schema;
  const extra = input.extra ?? current?.extra;
  return {
    config: input.config,
    ...(schema !== undefined && { schema }),
    ...(extra !== undefined && Object.keys(extra).length > 0 && { extra }),
  };
}

function checkSize(config: Json): void {
  const bytes = Buffer.byteLength(JSON.stringify(config));
  if (bytes > MAX_VALUE_BYTES) {
    throw tooLarge(`The configuration has ${bytes} bytes; ${MAX_VALUE_BYTES} are allowed.`, {
      field: 'config',
      fix: 'Keep large content in a bundle, and its name here; secrets take more room once they are sealed.',
    });
  }
}
