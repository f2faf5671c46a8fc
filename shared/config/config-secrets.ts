import { SkerryError, unprocessable } from '../platform/errors.ts';
import { fieldPath } from '../platform/http/check.ts';
import { jsonEquals } from '../platform/json-equals.ts';
import type { KeyVaults } from '../platform/key-vaults.ts';
import { mapConcurrently } from '../platform/map-concurrently.ts';
import type { Sealer } from '../platform/sealer.ts';
import type { Json } from '../records/index.ts';
import { type Path, replaceSecrets, type SecretForm, secretFormOf, secretsIn } from './secret-form.ts';

export interface ConfigSecretsOptions {
  readonly sealer: Sealer;
  readonly vaults: Pick<KeyVaults, 'read'>;
}

/** What belongs to one application: its namespace and key. */
export type SecretPlace = readonly [ns: string, key: string];

/** A configuration as its schema sees it. */
export interface SchemaView {
  /** With the secrets that were given in clear, and null for all others. */
  readonly config: Json;
  /** Where there are those. */
  readonly clear: readonly Path[];
  /** Where there are others. */
  readonly hidden: readonly Path[];
}

const MAX_SECRETS = 200;
const MAX_REFERENCES = 50;
const READS_AT_ONCE = 8;

/**
 * The secrets in configurations: sealed before they are stored, each for its application alone, and opened only for those who may see
 * them. No error of it holds any part of a secret.
 */
export class ConfigSecrets {
  readonly #sealer: Sealer;
  readonly #vaults: Pick<KeyVaults, 'read'>;

  constructor({ sealer, vaults }: ConfigSecretsOptions) {
    this.#sealer = sealer;
    this.#vaults = vaults;
  }

  /**
   * Makes sure that the secrets in a configuration are well formed, and can be sealed.
   *
   * @returns how a schema sees it: what would depend on a secret that was not given with it could be asked for, bit by bit, by whoever
   *   may write but not see it.
   * @throws SkerryError `unprocessable` naming the path.
   */
  check(config: Json): SchemaView {
    const clear: Path[] = [];
    const hidden: Path[] = [];
    let references = 0;
    const view = replaceSecrets(config, (form, path) => {
      if (form.kind === 'malformed') {
        throw refused(path, form.reason, form.fix);
      }
      references += form.kind === 'reference' ? 1 : 0;
      (form.kind === 'clear' ? clear : hidden).push(path);
      return form.kind === 'clear' ? form.value : null;
    });
    checkCount(clear.length + hidden.length - references, MAX_SECRETS, 'secrets');
    checkCount(references, MAX_REFERENCES, 'references');
    const [first] = clear;
    if (first !== undefined && !this.#sealer.canSeal) {
      throw refused(
        first,
        'cannot be stored, because the setting SKERRY_SECRET_KEYS is empty',
        'Have an operator set it to 32 random bytes in base64, as `openssl rand -base64 32` prints them.',
      );
    }
    return { config: view, clear, hidden };
  }

  /**
   * The configuration as it is stored: with each secret sealed by the newest key. A secret that stands at the same place already stays as
   * it is sealed there, unless that was by an older key.
   *
   * @param given what `check` accepts.
   * @throws SkerryError `unprocessable` naming the path of a sealed secret that is none of this application.
   */
  seal(place: SecretPlace, given: Json, standing: Json | undefined): Json {
    const known = new Set<string>();
    for (const { form } of standing === undefined ? [] : secretsIn(standing)) {
      if (form.kind === 'sealed') known.add(form.sealed);
    }
    return replaceSecrets(given, (form, path, value) => {
      switch (form.kind) {
        case 'clear':
          return this.#sealValue(place, form.value, valueAt(standing, path));
        case 'sealed':
          return this.#sealAgain(place, form.sealed, path, standing, known.has(form.sealed));
        default:
          return value;
      }
    });
  }

  /** Whether two configurations of an application are the same once their secrets are open. */
  areEqual(place: SecretPlace, one: Json, other: Json): boolean {
    const opened = (config: Json) =>
      replaceSecrets(config, (form, _, value) => {
        const plain = this.#plainOf(place, form);
        return plain === undefined ? value : { $secret: plain };
      });
    return jsonEquals(one, other) || jsonEquals(opened(one), opened(other));
  }

  /**
   * The configuration with its secrets in clear, those of Key Vault among them.
   *
   * @throws SkerryError `unprocessable` or `unavailable` naming the path of what cannot be read.
   */
  async reveal(place: SecretPlace, config: Json): Promise<Json> {
    const found = secretsIn(config);
    const values = await mapConcurrently(found, READS_AT_ONCE, async ({ form, path }) => {
      try {
        return await this.#read(place, form);
      } catch (error) {
        throw at(path, error);
      }
    });
    let next = 0;
    return replaceSecrets(config, (_, __, standing) => {
      const value = values[next++];
      return value === undefined ? standing : value;
    });
  }

  async #read(place: SecretPlace, form: SecretForm): Promise<Json | undefined> {
    switch (form.kind) {
      case 'clear':
        return form.value;
      case 'sealed':
        return this.#open(place, form.sealed);
      case 'reference':
        return await this.#vaults.read(form.reference);
      default:
        return undefined;
    }
  }

  #sealValue(place: SecretPlace, value: Json, standing: Json | undefined): Json {
    const there = secretFormOf(standing);
    const mayStay = there?.kind === 'sealed' && this.#sealer.isNewest(there.sealed);
    return mayStay && jsonEquals(this.#plainOf(place, there), value)
      ? { $secret: { sealed: there.sealed } }
      : { $secret: { sealed: this.#sealer.seal(JSON.stringify(value), place) } };
  }

  /** What stands in the record is known to belong there, even if the key that opens it is gone. */
  #sealAgain(
    place: SecretPlace,
    sealed: string,
    path: Path,
    standing: Json | undefined,
    isKnown: boolean,
  ): Json {
    const stays = isKnown && this.#sealer.isNewest(sealed);
    const plain = stays ? undefined : this.#plainOf(place, { kind: 'sealed', sealed });
    if (plain !== undefined) {
      return this.#sealValue(place, plain, valueAt(standing, path));
    }
    if (isKnown) {
      return { $secret: { sealed } };
    }
    throw refused(
      path,
      'is sealed, and not for this application',
      'Send the secret itself, as {"$secret": VALUE}, or leave what the application has there as it is.',
    );
  }

  /** Undefined where it cannot be opened: whether it was tampered with, belongs elsewhere or has no key is not told. */
  #plainOf(place: SecretPlace, form: SecretForm | undefined): Json | undefined {
    if (form?.kind === 'clear') {
      return form.value;
    }
    if (form?.kind !== 'sealed') {
      return undefined;
    }
    try {
      return this.#open(place, form.sealed);
    } catch {
      return undefined;
    }
  }

  #open(place: SecretPlace, sealed: string): Json {
    return JSON.parse(this.#sealer.open(sealed, place)) as Json;
  }
}

/**
 * Makes sure that there are no secrets where they would be stored in clear.
 *
 * @throws SkerryError `unprocessable` naming the path.
 */
export function checkNoSecrets(value: Json, place: string): void {
  for (const { form, path } of secretsIn(value)) {
    if (form.kind !== 'reference') {
      throw unprocessable(`There cannot be a secret at ${fieldPath([place, ...path])}.`, {
        field: fieldPath([place, ...path]),
        fix: 'Secrets stand in `config` alone.',
      });
    }
  }
}

/** Where the first secret stands that is given in clear; undefined where there is none. */
export function placeOfClearSecret(config: Json): string | undefined {
  const found = secretsIn(config).find(({ form }) => form.kind === 'clear' || form.kind === 'malformed');
  return found && fieldPath(['config', ...found.path]);
}

function valueAt(value: Json | undefined, path: Path): Json | undefined {
  return path.reduce<Json | undefined>((parent, step) => {
    if (typeof parent !== 'object' || parent === null) return undefined;
    return Array.isArray(parent)
      ? parent[Number(step)]
      : Object.hasOwn(parent, step)
        ? parent[step]
        : undefined;
  }, value);
}

function checkCount(count: number, most: number, what: string): void {
  if (count > most) {
    throw unprocessable(`The configuration has ${count} ${what}; ${most} are allowed.`, {
      field: 'config',
      fix: 'Put what belongs together into one of them, which may be any JSON.',
    });
  }
}

function refused(path: Path, reason: string, fix: string): SkerryError {
  const field = fieldPath(['config', ...path]);
  return unprocessable(`What stands at ${field} ${reason}.`, { field, fix });
}

/** The same refusal with the place that it is about. */
function at(path: Path, error: unknown): Error {
  const field = fieldPath(['config', ...path]);
  if (!(error instanceof SkerryError)) {
    return new Error(`What is sealed at ${field} does not open: it was changed in storage.`, {
      cause: error,
    });
  }
  const { kind, message, fix, retryAfterSeconds, cause } = error;
  return new SkerryError(kind, `The secret at ${field} cannot be read: ${message}`, {
    field,
    ...(fix !== undefined && { fix }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    cause,
  });
}
