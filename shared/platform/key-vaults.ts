import type { TokenCredential } from '@azure/identity';
import type { SecretClient, SecretClientOptions } from '@azure/keyvault-secrets';
import type { Clock } from './clock.ts';
import { SkerryError, unavailable, unprocessable } from './errors.ts';
import { inTime } from './in-time.ts';
import { RecentMap } from './recent-map.ts';

/** A secret of Azure Key Vault. */
export interface VaultReference {
  /** The name of the vault. */
  readonly vault: string;
  readonly name: string;
  /** The newest one without. */
  readonly version?: string | undefined;
}

export interface KeyVaultsOptions {
  /** Those that may be read: names, or hosts where they are not of the public cloud. */
  readonly vaults: readonly string[];
  readonly credential: TokenCredential;
  readonly clock: Clock;
  /** Sends the requests of the SDK; over the network unless given. */
  readonly httpClient?: SecretClientOptions['httpClient'];
}

/** How long a secret is taken for what its vault holds, in milliseconds. */
const FRESH_MILLISECONDS = 60_000;
const MAX_CACHED = 500;
const READS_AT_ONCE = 8;
const MAX_WAITING = 500;
/** Of one read, with its token and all tries. */
const TIMEOUT_MILLISECONDS = 20_000;
const RETRIES = { maxRetries: 2, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 };

/** The permissions of Key Vault that let the value of a secret be read, and nothing else. */
const ROLE = 'Key Vault Secrets User';

/** Reads secrets of Azure Key Vault. The SDK is loaded at the first one. */
export class KeyVaults {
  readonly #options: KeyVaultsOptions;
  /** Hosts by the names of vaults in lower case. */
  readonly #hosts: ReadonlyMap<string, string>;
  readonly #clients = new Map<string, Promise<SecretClient>>();
  readonly #known = new RecentMap<string, { readonly value: string; readonly until: number }>(MAX_CACHED);
  readonly #reading = new Map<string, Promise<string>>();
  readonly #waiting: (() => void)[] = [];
  #busy = 0;

  constructor(options: KeyVaultsOptions) {
    this.#options = options;
    this.#hosts = new Map(options.vaults.map((vault) => hostOf(vault.toLowerCase())));
  }

  /**
   * The value of a secret, at most a minute old.
   *
   * @throws SkerryError `unprocessable` for a vault that is not to be read and a secret that is not there or is disabled; `unavailable`
   *   when the vault does not answer or refuses. None of them holds a value.
   */
  async read(reference: VaultReference): Promise<string> {
    const vault = reference.vault.toLowerCase();
    const host = this.#hosts.get(vault);
    if (host === undefined) {
      throw unprocessable(`The vault "${reference.vault}" is none that is read here.`, {
        fix: 'Name it in the setting SKERRY_KEYVAULTS, or refer to one that stands there.',
      });
    }
    const key = [vault, reference.name.toLowerCase(), reference.version ?? ''].join('/');
    const known = this.#known.get(key);
    if (known !== undefined && this.#options.clock.now() < known.until) {
      return known.value;
    }
    const reading = this.#reading.get(key) ?? this.#fetch(key, host, reference);
    this.#reading.set(key, reading);
    return await reading;
  }

  async #fetch(key: string, host: string, reference: VaultReference): Promise<string> {
    const asked = this.#options.clock.now();
    try {
      const value = await this.#inTurn(() => this.#ask(host, reference));
      this.#known.set(key, { value, until: asked + FRESH_MILLISECONDS });
      return value;
    } finally {
      this.#reading.delete(key);
    }
  }

  async #ask(host: string, { vault, name, version }: VaultReference): Promise<string> {
    const opened = this.#clients.get(host) ?? this.#open(host);
    this.#clients.set(host, opened);
    const client = await opened;
    try {
      const { value } = await inTime(
        TIMEOUT_MILLISECONDS,
        (abortSignal) => client.getSecret(name, { abortSignal, ...(version !== undefined && { version }) }),
        () => new Error(`No answer within ${TIMEOUT_MILLISECONDS} ms.`),
      );
      return value ?? '';
    } catch (error) {
      throw refusalOf(error, vault, name);
    }
  }

  async #open(host: string): Promise<SecretClient> {
    const { SecretClient } = await import('@azure/keyvault-secrets');
    const { credential, httpClient } = this.#options;
    return new SecretClient(`https://${host}`, credential, {
      retryOptions: RETRIES,
      ...(httpClient !== undefined && { httpClient }),
    });
  }

  async #inTurn<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    if (this.#waiting.length >= MAX_WAITING) {
      throw unavailable('Too many secrets of Key Vault are being read.');
    }
    if (this.#busy >= READS_AT_ONCE) {
      // Whoever leaves hands on the place, so that it stays counted.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#busy += 1;
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#busy -= 1;
      else next();
    }
  }
}

function hostOf(vault: string): [string, string] {
  const [name = vault] = vault.split('.', 1);
  return [name, name === vault ? `${name}.vault.azure.net` : vault];
}

function refusalOf(error: unknown, vault: string, name: string): SkerryError {
  if (error instanceof SkerryError) {
    return error;
  }
  const { status, code, cause } = toldBy(error);
  if (status === 404 || code === 'SecretDisabled') {
    return unprocessable(`The vault "${vault}" has no secret "${name}" that can be read.`, {
      fix: 'Make it there and enable it, or refer to another one.',
    });
  }
  if (status === 401 || status === 403) {
    return unavailable(`The vault "${vault}" does not let its secrets be read.`, {
      fix: `Give the identity of the app the role "${ROLE}" there, and let the app through the firewall of the vault.`,
      cause,
    });
  }
  return unavailable(`The vault "${vault}" cannot be read at the moment.`, { cause });
}

/** The message of an answer that could not be parsed quotes it, and so the secret: of such errors nothing but their codes goes on. */
function toldBy(error: unknown): {
  readonly status?: unknown;
  readonly code?: unknown;
  readonly cause: Error;
} {
  const { name, code, statusCode, details } = (error ?? {}) as Record<string, unknown>;
  const { error: told } = (details ?? {}) as { error?: { code?: unknown; innerError?: { code?: unknown } } };
  const codes = [name, code, statusCode, told?.code, told?.innerError?.code];
  const known = codes.filter((part) => part !== undefined && part !== null);
  return { status: statusCode, code: told?.innerError?.code, cause: new Error(known.join(' ')) };
}
