import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Channels, Versions } from '../bundles/index.ts';
import { referenceInBodySchema } from '../bundles/index.ts';
import { type Applications, placeOfClearSecret } from '../config/index.ts';
import { placeOfKey } from '../keyspace/index.ts';
import type { KeyValues } from '../kv/index.ts';
import type { Executor, Observation, StepOutcome, StepRequest } from '../operations/index.ts';
import { SkerryError } from '../platform/errors.ts';
import {
  type Author,
  type Caller,
  type CallerOf,
  isSystem,
  makerOf,
  nameSchema,
  revisionTag,
  type Verb,
} from '../platform/http/index.ts';
import { jsonEquals } from '../platform/json-equals.ts';
import { mapConcurrently } from '../platform/map-concurrently.ts';
import type { Json, Records, StoredRecord } from '../records/index.ts';
import { boundOutputs } from './bounded-outputs.ts';
import { readCommand } from './command.ts';
import { differenceOf } from './difference.ts';
import type { ExecutorParts } from './index.ts';
import { finalFailure, outcomeOf, passingFailure } from './step-failure.ts';

const AT_ONCE = 8;

/** What the executor writes to. */
export interface ConfigStores {
  readonly records: Records;
  readonly applications: Applications;
  readonly keyValues: KeyValues;
  readonly channels: Channels;
  readonly versions: Versions;
}

const SLASHED = /^[0-9A-Za-z._-]{1,128}\/./;

const commandSchema = z.strictObject({
  /** Configurations by the names of applications. */
  apps: z.record(nameSchema, z.json()).default({}),
  /** Values by `STORE/KEY`. */
  keys: z.record(z.string().regex(SLASHED, 'must be STORE/KEY'), z.json()).default({}),
  /** Versions by `BUNDLE/CHANNEL`. */
  channels: z.record(z.string().regex(SLASHED, 'must be BUNDLE/CHANNEL'), referenceInBodySchema).default({}),
});
type Command = z.output<typeof commandSchema>;

/** Keys of records that an earlier step wrote, with their revisions then; 0 where it was not told whether it did. */
const writtenSchema = z.record(z.string(), z.int()).catch({});

/** One record that the command is about. */
interface Entry {
  /** Of the record: `/app/NAME`, `/kv/STORE/KEY`, `/bundle/NAME/channels/CHANNEL`. */
  readonly key: string;
  /** @returns its revision then. */
  write(author: Author): Promise<number>;
  /** Whether the record is as the command has it. */
  isWritten(record: StoredRecord<unknown>): boolean | Promise<boolean>;
}

/**
 * Writes applications, keys and channels of Skerry itself, and removes what it wrote. All that it writes for a resource carries one trace,
 * by which it knows its own again, also after a crash; what somebody else has written since is left alone. It does no more than whoever sent the command may
 * do themselves at that time, and else nothing at all.
 */
export class ConfigExecutor implements Executor {
  readonly #stores: ConfigStores;
  readonly #callerOf: CallerOf;
  readonly #publicUrl: string;

  constructor({ stores, callerOf, publicUrl }: Pick<ExecutorParts, 'stores' | 'callerOf' | 'publicUrl'>) {
    this.#stores = stores;
    this.#callerOf = callerOf;
    this.#publicUrl = publicUrl ?? '';
  }

  start(request: StepRequest): Promise<StepOutcome> {
    const written = new Map(Object.entries(writtenSchema.parse(request.outputs.written)));
    const standing = () => boundOutputs([['written', Object.fromEntries(written)]]);
    return outcomeOf(async () => {
      const entries = this.#entriesOf(request);
      const caller = await this.#callerOf(makerOf(request));
      if (request.verb === 'destroy') {
        const keys = [...entries.keys(), ...written.keys()];
        checkMay(caller, 'delete', request.ns, keys);
        const removed = await this.#remove(request, keys, written);
        return { state: 'succeeded', outputs: {}, log: [`Removed ${removed.join(', ') || 'nothing'}.`] };
      }
      checkMay(caller, 'write', request.ns, [...entries.keys()]);
      const isRun = request.verb === 'run';
      const stale = isRun ? [] : [...written.keys()].filter((key) => !entries.has(key));
      checkMay(caller, 'delete', request.ns, stale);
      await this.#writeAll(request, [...entries.values()], written);
      const removed = await this.#remove(request, stale, written);
      for (const key of stale) written.delete(key);
      const { outputs, log } = standing();
      return {
        state: 'succeeded',
        outputs,
        log: [`Wrote ${entries.size} records, removed ${removed.length}.`, ...log],
      };
    }, standing);
  }

  async observe(request: StepRequest): Promise<Observation> {
    const entries = [...this.#entriesOf(request).values()];
    const caller = await this.#callerOf(makerOf(request));
    checkMay(
      caller,
      'read',
      request.ns,
      entries.map(({ key }) => key),
    );
    const states = await mapConcurrently(entries, AT_ONCE, async (entry) => {
      const record = await this.#find(request.ns, entry.key);
      return record === undefined ? 'missing' : (await entry.isWritten(record)) ? 'same' : 'changed';
    });
    const keysThatAre = (state: string) =>
      entries.filter((_, index) => states[index] === state).map(({ key }) => key);
    return {
      exists: entries.length === 0 || states.some((state) => state !== 'missing'),
      ...differenceOf(keysThatAre('missing'), keysThatAre('changed')),
    };
  }

  /** By the keys of the records. */
  #entriesOf(request: StepRequest): ReadonlyMap<string, Entry> {
    const { apps, keys, channels } = readCommand(request, commandSchema);
    const { ns } = request;
    const entries = [
      ...Object.entries(apps).map(([name, config]) => this.#application(ns, name, config)),
      ...Object.entries(keys).map(([path, value]) => this.#keyValue(ns, path, value)),
      ...Object.entries(channels).map(([path, version]) => this.#channel(ns, path, version)),
    ];
    return new Map(entries.map((entry) => [entry.key, entry]));
  }

  #application(ns: string, name: string, config: Json): Entry {
    const { applications } = this.#stores;
    return {
      key: `/app/${name}`,
      write: async (author) => {
        checkNothingInClear(name, config);
        return (await applications.put(ns, name, { config, schema: 'keep' }, { author })).application
          .revision;
      },
      isWritten: ({ value }) => {
        checkNothingInClear(name, config);
        return applications.hasConfig(ns, name, (value as { config: Json }).config, config);
      },
    };
  }

  #keyValue(ns: string, path: string, value: Json): Entry {
    const { keyValues } = this.#stores;
    const [store, key] = split(path);
    return {
      key: `/kv/${path}`,
      write: async (author) => (await keyValues.put(ns, store, key, { value }, { author })).keyValue.revision,
      isWritten: (record) => jsonEquals(record.value, value),
    };
  }

  #channel(ns: string, path: string, version: Command['channels'][string]): Entry {
    const { channels, versions } = this.#stores;
    const [name, channel] = split(path);
    return {
      key: `/bundle/${name}/channels/${channel}`,
      write: async (author) => {
        const put = await channels.put(
          { ns, name, channel },
          { version },
          { author, ownUrl: this.#publicUrl },
        );
        return put.channel.revision;
      },
      isWritten: async (record) =>
        (record.value as { version: number }).version === (await versions.find(ns, name, version)).version,
    };
  }

  /** Adds to `written` what it begins to write. Where it fails, nothing is being written any more. */
  async #writeAll(
    request: StepRequest,
    entries: readonly Entry[],
    written: Map<string, number>,
  ): Promise<void> {
    const faults: unknown[] = [];
    await mapConcurrently(entries, AT_ONCE, async (entry) => {
      if (faults.length > 0) return;
      try {
        // Who is not told whether it was written finds out by its trace.
        written.set(entry.key, written.get(entry.key) ?? 0);
        written.set(entry.key, await this.#write(request, entry));
      } catch (fault) {
        faults.push(fault);
      }
    });
    if (faults.length > 0) throw faults[0];
  }

  async #write(request: StepRequest, { key, write }: Entry): Promise<number> {
    request.signal.throwIfAborted();
    try {
      return await write(authorOf(request));
    } catch (error) {
      throw failureOf(error, key);
    }
  }

  /** @returns what was removed. */
  async #remove(
    request: StepRequest,
    keys: readonly string[],
    written: ReadonlyMap<string, number>,
  ): Promise<string[]> {
    const removed = await mapConcurrently([...new Set(keys)], AT_ONCE, async (key) => {
      request.signal.throwIfAborted();
      try {
        const record = await this.#find(request.ns, key);
        const isOwn = record !== undefined && (await this.#isOwn(request, record, written.get(key)));
        return isOwn && (await this.#removeRevision(request, key, record.revision)) ? [key] : [];
      } catch (error) {
        throw failureOf(error, key);
      }
    });
    return removed.flat();
  }

  /**
   * Whether the newest change of a record is of this resource. Outputs may be another executor's word: they are believed of those alone who
   * may remove the record anyway, whose history may be gone.
   */
  async #isOwn(request: StepRequest, record: StoredRecord<unknown>, revision?: number): Promise<boolean> {
    if (record.revision === revision && !isSystem(request)) {
      return true;
    }
    const place = placeOfKey(request.ns, record.key);
    const change = place && (await this.#stores.records.readChange(place.scope, record.revision));
    return change?.traceparent?.includes(traceOf(request)) === true;
  }

  /** @returns false where somebody else has changed or removed it meanwhile. */
  async #removeRevision(request: StepRequest, key: string, revision: number): Promise<boolean> {
    const { applications, keyValues, channels } = this.#stores;
    const { ns } = request;
    const options = { author: authorOf(request), precondition: { ifMatch: [revisionTag(revision)] } };
    const [, kind, name = '', ...rest] = key.split('/');
    try {
      if (kind === 'app') await applications.delete(ns, name, options);
      else if (kind === 'kv') await keyValues.delete(ns, name, rest.join('/'), options);
      else await channels.delete({ ns, name, channel: rest[1] ?? '' }, options);
      return true;
    } catch (error) {
      if (
        error instanceof SkerryError &&
        (error.kind === 'not-found' || error.kind === 'precondition-failed')
      ) {
        return false;
      }
      throw error;
    }
  }

  async #find(ns: string, key: string): Promise<StoredRecord<unknown> | undefined> {
    const place = placeOfKey(ns, key);
    return place && (await this.#stores.records.get<unknown>(place.scope, key));
  }
}

/**
 * A command is shown to whoever may see its resource, and its differences would tell who guesses right.
 *
 * @throws StepFailure, final, that names the place.
 */
function checkNothingInClear(name: string, config: Json): void {
  const place = placeOfClearSecret(config);
  if (place !== undefined) {
    throw finalFailure(
      `/app/${name}: a secret stands in clear at ${place}. Refer to Key Vault by {"$ref": "keyvault://VAULT/NAME"} instead.`,
    );
  }
}

/** @throws StepFailure, final, unless all of this is allowed. */
function checkMay(caller: Caller, verb: Verb, ns: string, keys: readonly string[]): void {
  const denied = keys.find((key) => !caller.may(verb, ns, key));
  if (denied !== undefined) {
    throw finalFailure(`Whoever sent the command may not ${verb} ${denied}.`);
  }
}

/** In the name of whoever sent the command. */
function authorOf(request: StepRequest): Author {
  const span = createHash('sha256').update(request.idempotencyKey).digest('hex').slice(0, 16);
  return { ...makerOf(request), traceparent: `00-${traceOf(request)}-${span}-01` };
}

/** The trace of all that is written for a resource (W3C Trace Context: 32 hexadecimal digits). */
function traceOf({ ns, environment = '', resource = '' }: StepRequest): string {
  return createHash('sha256').update(`${ns}\n${environment}\n${resource}`).digest('hex').slice(0, 32);
}

function failureOf(error: unknown, key: string): unknown {
  if (!(error instanceof SkerryError)) {
    return error;
  }
  const reason = [`${key}: ${error.message}`, error.fix].filter((part) => part !== undefined).join(' ');
  const isPassing = error.kind === 'unavailable' || error.kind === 'too-many-requests';
  return isPassing ? passingFailure(reason, error) : finalFailure(reason);
}

function split(path: string): [string, string] {
  const slash = path.indexOf('/');
  return [path.slice(0, slash), path.slice(slash + 1)];
}
