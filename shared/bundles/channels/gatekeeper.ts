import { ConfigChecker } from '../../config/index.ts';
import { invalid, SkerryError, unprocessable } from '../../platform/errors.ts';
import { canonicalPath } from '../../platform/http/index.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';
import { USER_AGENT } from '../../platform/user-agent.ts';
import { checkEndpoint, type EndpointPolicy, type PostWebhook } from '../../webhooks/index.ts';
import { normalizePath } from '../content/bundle-path.ts';
import type { BundleFile } from '../content/manifest.ts';
import type { Version } from '../versions/version.ts';
import type { Gates } from './channel.ts';
import { readDocument } from './read-document.ts';

/** Bytes of the gates of a channel as JSON: they stand in its record. */
const MAX_GATES_BYTES = 64 * 1024;
const MAX_SCHEMAS = 16;
/** Bytes of a file that is held against a schema. */
const MAX_CHECKED_BYTES = 1024 * 1024;
const FILES_AT_ONCE = 4;
const MAX_REASON_CHARACTERS = 400;

/** What is asked of the versions of bundles. */
export interface CandidateVersions {
  /** @throws SkerryError `not-found`. */
  find(ns: string, name: string, reference: string): Promise<Version>;
  manifest(ns: string, name: string, version: Version): Promise<{ readonly files: readonly BundleFile[] }>;
  readFile(ns: string, name: string, version: Version, path: string): Promise<{ readonly bytes: Uint8Array }>;
}

/** `Gates` as somebody gives them. */
export interface GatesInput {
  readonly required?: readonly string[] | undefined;
  readonly schemas?: Gates['schemas'] | undefined;
  readonly webhook?: string | undefined;
}

/** A version that a channel is to stand for. */
export interface Candidate {
  readonly ns: string;
  readonly name: string;
  readonly channel: string;
  readonly version: Version;
  /** Base of links that others are sent. */
  readonly ownUrl: string;
}

export interface GateFailure {
  readonly gate: 'required' | 'schema' | 'webhook';
  readonly path?: string;
  readonly reason: string;
}

export interface GatekeeperOptions {
  readonly versions: CandidateVersions;
  readonly post: PostWebhook;
  readonly endpointPolicy: EndpointPolicy;
}

/** Holds versions against the gates of channels. */
export class Gatekeeper {
  readonly #options: GatekeeperOptions;
  #checker: Promise<ConfigChecker> | undefined;

  constructor(options: GatekeeperOptions) {
    this.#options = options;
  }

  /**
   * The gates that somebody wants to set, with paths as bundles have them; null where there is none among them.
   *
   * @throws SkerryError `unprocessable` for paths that are none, schemas that cannot be used, and more than a record has room for;
   *   `invalid` for a URL that may not be called.
   */
  async prepare(input: GatesInput): Promise<Gates | null> {
    const gates = normalized(input);
    const bytes = Buffer.byteLength(JSON.stringify(gates));
    const schemas = Object.entries(gates.schemas ?? {});
    if (bytes > MAX_GATES_BYTES) {
      throw unprocessable(`The gates have ${bytes} bytes as JSON; ${MAX_GATES_BYTES} are the most.`, {
        field: 'gates',
        fix: 'Let the webhook check what the schemas cannot say shortly.',
      });
    }
    if (schemas.length > MAX_SCHEMAS) {
      throw unprocessable(`The gates have ${schemas.length} schemas; ${MAX_SCHEMAS} are the most.`, {
        field: 'gates.schemas',
        fix: 'Let the webhook check the other files.',
      });
    }
    if (gates.webhook !== undefined) {
      checkWebhook(gates.webhook, this.#options.endpointPolicy);
    }
    if (schemas.length > 0) {
      const checker = await this.#loadChecker();
      for (const [path, schema] of schemas) {
        checker.checkSchema(schema, `gates.schemas["${path}"]`);
      }
    }
    return Object.keys(gates).length === 0 ? null : gates;
  }

  /** @throws SkerryError `unprocessable` with all `failures`, unless the version passes every gate; `unavailable`. */
  async admit(gates: Gates, candidate: Candidate): Promise<void> {
    const failures = await this.failures(gates, candidate);
    const [first] = failures;
    if (first === undefined) {
      return;
    }
    const { channel, version } = candidate;
    const more = failures.length > 1 ? ` (and ${failures.length - 1} more, see "failures")` : '';
    const where = first.path === undefined ? '' : ` ${first.path}`;
    throw unprocessable(
      `Version ${version.version} does not pass the gates of the channel "${channel}": ${first.gate}${where}: ${first.reason}${more}`,
      {
        field: 'version',
        fix: 'Publish a version that passes them, or change the gates.',
        extensions: { failures },
      },
    );
  }

  /** Where a version fails; all gates are asked, whatever the others say. */
  async failures(
    { required = [], schemas = {}, webhook }: Gates,
    candidate: Candidate,
  ): Promise<GateFailure[]> {
    const { ns, name, version } = candidate;
    const names = Object.keys(schemas);
    const files =
      required.length + names.length === 0
        ? new Map<string, BundleFile>()
        : new Map(
            (await this.#options.versions.manifest(ns, name, version)).files.map((file) => [file.path, file]),
          );
    const missing = required.filter((path) => !files.has(path)).map(missingFile);
    const [unsatisfied, refused] = await Promise.all([
      mapConcurrently(names, FILES_AT_ONCE, (path) => this.#hold(files.get(path), schemas, candidate)),
      webhook === undefined ? undefined : this.#ask(webhook, candidate),
    ]);
    return [...missing, ...unsatisfied, refused].filter((failure) => failure !== undefined);
  }

  async #hold(
    file: BundleFile | undefined,
    schemas: NonNullable<Gates['schemas']>,
    { ns, name, version }: Candidate,
  ): Promise<GateFailure | undefined> {
    const schema = file && schemas[file.path];
    if (file === undefined || schema === undefined) {
      return undefined;
    }
    const { path, size } = file;
    const failure = (reason: string): GateFailure => ({ gate: 'schema', path, reason: shortened(reason) });
    if (size > MAX_CHECKED_BYTES) {
      return failure(
        `It has ${size} bytes; ${MAX_CHECKED_BYTES} are the most that a schema is held against.`,
      );
    }
    const { bytes } = await this.#options.versions.readFile(ns, name, version, path);
    const reading = await readDocument(path, bytes);
    if ('fault' in reading) {
      return failure(`It ${reading.fault}.`);
    }
    const checker = await this.#loadChecker();
    try {
      const fault = checker.faultOf(reading.value, schema);
      return fault && failure(`At /${fault.path.join('/')}: ${fault.message} (${fault.schemaPath}).`);
    } catch (error) {
      if (error instanceof SkerryError) {
        return failure(error.message);
      }
      throw error;
    }
  }

  async #ask(webhook: string, candidate: Candidate): Promise<GateFailure | undefined> {
    const { ns, name, channel, version, ownUrl } = candidate;
    const { status, error, body, isCut } = await this.#options.post({
      endpoint: webhook,
      headers: { 'content-type': 'application/json', 'user-agent': USER_AGENT },
      body: JSON.stringify({
        bundle: name,
        ns,
        channel,
        version: version.version,
        digest: version.digest,
        files: version.files,
        url: `${ownUrl}${canonicalPath(ns, `bundles/${name}/versions/${version.version}`)}`,
      }),
    });
    const reason =
      status === undefined
        ? `It did not answer: ${error}`
        : error !== undefined
          ? `It answered ${error}`
          : isCut
            ? 'Its answer broke off, or is too long.'
            : reasonOf(body);
    return reason === undefined ? undefined : { gate: 'webhook', reason: shortened(reason) };
  }

  #loadChecker(): Promise<ConfigChecker> {
    this.#checker ??= ConfigChecker.load();
    return this.#checker;
  }
}

function normalized({ required = [], schemas = {}, webhook }: GatesInput): Gates {
  const paths = [...new Set(required.map((path) => normalizePath(path)))];
  const entries = Object.entries(schemas).map(([path, schema]) => [normalizePath(path), schema] as const);
  return {
    ...(paths.length > 0 && { required: paths }),
    ...(entries.length > 0 && { schemas: Object.fromEntries(entries) }),
    ...(webhook !== undefined && { webhook }),
  };
}

function missingFile(path: string): GateFailure {
  return { gate: 'required', path, reason: 'There is no such file.' };
}

/** @returns why an answer of success does not agree; undefined where it does. */
function reasonOf(body: string | undefined): string | undefined {
  if (body?.trim() === '') {
    return undefined;
  }
  const answer = parsed(body);
  if (answer?.valid === true) {
    return undefined;
  }
  if (answer?.valid === false) {
    return typeof answer.reason === 'string' && answer.reason !== ''
      ? answer.reason
      : 'It refused, and said no reason.';
  }
  return 'Its answer is neither empty nor JSON with "valid": true or false.';
}

function parsed(body: string | undefined): { valid?: unknown; reason?: unknown } | undefined {
  try {
    const answer: unknown = JSON.parse(body ?? '');
    return typeof answer === 'object' && answer !== null ? answer : undefined;
  } catch {
    return undefined;
  }
}

/** @throws SkerryError `invalid`. */
function checkWebhook(webhook: string, policy: EndpointPolicy): void {
  try {
    checkEndpoint(webhook, policy);
  } catch (error) {
    if (error instanceof SkerryError) {
      const fix = error.fix === undefined ? {} : { fix: error.fix };
      throw invalid(error.message, { field: 'gates.webhook', ...fix });
    }
    throw error;
  }
}

function shortened(reason: string): string {
  return reason.length > MAX_REASON_CHARACTERS ? `${reason.slice(0, MAX_REASON_CHARACTERS)}…` : reason;
}
