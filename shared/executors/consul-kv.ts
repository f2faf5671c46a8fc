import { z } from 'zod';
import type { Executor, Observation, StepOutcome, StepRequest } from '../operations/index.ts';
import { mapConcurrently } from '../platform/map-concurrently.ts';
import type { Credential } from '../platform/origin-credentials.ts';
import type { Json } from '../records/index.ts';
import { boundOutputs } from './bounded-outputs.ts';
import { appUrl, readCommand } from './command.ts';
import { differenceOf } from './difference.ts';
import type { ExecutorParts } from './index.ts';
import { type Answer, parse, readBody, sentenceIn } from './outbound/index.ts';
import { finalFailure, outcomeOf, StepFailure } from './step-failure.ts';

/** Limits of a transaction ("Transaction" in the HTTP API of Consul; `txn_max_req_len` is 512 KiB unless raised). */
const MAX_OPERATIONS = 64;
const MAX_BODY_BYTES = 512 * 1024;

const READS_AT_ONCE = 8;

const commandSchema = z.strictObject({
  /** Before the name of every key. */
  prefix: z.string().max(512).default(''),
  /** Texts as they are, all else as JSON. */
  values: z.record(z.string().min(1).max(512), z.json()),
  flags: z.int().nonnegative().default(0),
  datacenter: z.string().min(1).optional(),
  namespace: z.string().min(1).optional(),
});
type Command = z.output<typeof commandSchema>;

/** Which keys an earlier step wrote, or may have written. */
const writtenSchema = z.array(z.string()).catch([]);

const transactionSchema = z.looseObject({
  Errors: z.null().or(z.array(z.unknown()).length(0)).optional(),
  Results: z.unknown(),
});
const entriesSchema = z.array(z.looseObject({ Value: z.string().nullable(), Flags: z.number() })).length(1);

interface KvOperation {
  readonly Verb: 'set' | 'delete';
  readonly Key: string;
  readonly Value?: string;
  readonly Flags?: number;
  readonly Namespace?: string;
}

/** Writes keys of Consul in transactions, and removes those that it wrote. */
export class ConsulKvExecutor implements Executor {
  readonly #outbound: ExecutorParts['outbound'];

  constructor({ outbound }: ExecutorParts) {
    this.#outbound = outbound;
  }

  start(request: StepRequest): Promise<StepOutcome> {
    const written = new Set(writtenSchema.parse(request.outputs.keys));
    const standing = () => boundOutputs([['keys', [...written]]]);
    return outcomeOf(async () => {
      const command = readCommand(request, commandSchema);
      const wanted = wantedValues(command);
      if (request.verb === 'destroy') {
        const keys = new Set([...wanted.keys(), ...written]);
        await this.#transact(request, command, [...keys].map(deletion(command)), written);
        return { state: 'succeeded', log: [`Removed ${keys.size} keys.`] };
      }
      // An action that is run besides adds to what the resource has.
      const stale = request.verb === 'run' ? [] : [...written].filter((key) => !wanted.has(key));
      const sets = [...wanted].map(([Key, value]) => ({
        Verb: 'set' as const,
        Key,
        Value: Buffer.from(value).toString('base64'),
        Flags: command.flags,
        ...inNamespace(command),
      }));
      await this.#transact(request, command, [...sets, ...stale.map(deletion(command))], written);
      const { outputs, log } = standing();
      return {
        state: 'succeeded',
        outputs,
        log: [`Wrote ${sets.length} keys, removed ${stale.length}.`, ...log],
      };
    }, standing);
  }

  async observe(request: StepRequest): Promise<Observation> {
    const command = readCommand(request, commandSchema);
    const wanted = [...wantedValues(command)];
    const found = await mapConcurrently(wanted, READS_AT_ONCE, ([key]) => this.#read(request, command, key));
    const missing = wanted.filter((_, nth) => found[nth] === undefined).map(([key]) => key);
    const changed = wanted
      .filter(([, value], nth) => found[nth] !== undefined && !isSame(found[nth], value, command))
      .map(([key]) => key);
    return {
      exists: wanted.length === 0 || missing.length < wanted.length,
      ...differenceOf(missing, changed),
    };
  }

  /**
   * In one transaction where it fits, else in several, one after the other: repeated as a whole they come to the same. Keeps `written` as it is then,
   * with what may have been written where that was not told.
   */
  async #transact(
    request: StepRequest,
    command: Command,
    operations: readonly KvOperation[],
    written: Set<string>,
  ): Promise<void> {
    for (const transaction of transactions(operations)) {
      const sets = transaction.filter(({ Verb }) => Verb === 'set');
      try {
        await this.#commit(request, command, transaction);
      } catch (fault) {
        if (fault instanceof StepFailure && fault.isPassing) {
          for (const { Key } of sets) written.add(Key);
        }
        throw fault;
      }
      for (const { Verb, Key } of transaction) {
        if (Verb === 'set') written.add(Key);
        else written.delete(Key);
      }
    }
  }

  async #commit(request: StepRequest, command: Command, transaction: readonly KvOperation[]): Promise<void> {
    const body = JSON.stringify(transaction.map((operation) => ({ KV: operation })));
    const answer = await this.#call(request, command, 'PUT', '/v1/txn', body);
    if (answer.status === 409) {
      // Only rules of access and of keys roll back what neither checks nor locks.
      throw finalFailure(
        `Consul rolled the transaction back: ${sentenceIn(parse(answer.text)) ?? 'it does not say why.'}`,
      );
    }
    readBody(answer, transactionSchema, 'PUT /v1/txn');
  }

  async #read(request: StepRequest, command: Command, key: string) {
    const path = `/v1/kv/${key.split('/').map(encodeURIComponent).join('/')}`;
    const answer = await this.#call(request, command, 'GET', path);
    if (answer.status === 404) {
      return undefined;
    }
    return readBody(answer, entriesSchema, 'GET /v1/kv')[0];
  }

  #call(
    request: StepRequest,
    { datacenter, namespace }: Command,
    method: 'GET' | 'PUT',
    path: string,
    body?: string,
  ): Promise<Answer> {
    const url = new URL(appUrl(request) + path);
    if (datacenter !== undefined) {
      url.searchParams.set('dc', datacenter);
    }
    return this.#outbound.call({
      method,
      url: url.href,
      headers: {
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(namespace !== undefined && { 'x-consul-namespace': namespace }),
      },
      ...(body !== undefined && { body }),
      isRepeatable: true,
      authenticate,
      signal: request.signal,
    });
  }
}

function authenticate({ token }: Credential): Record<string, string> {
  return token === undefined ? {} : { 'x-consul-token': token };
}

/** @throws StepFailure, final, for a key that a URL would not name as it is. */
function wantedValues({ prefix, values }: Command): ReadonlyMap<string, string> {
  const wanted = new Map(Object.entries(values).map(([name, value]) => [prefix + name, textOf(value)]));
  for (const key of wanted.keys()) {
    if (key.startsWith('/') || key.split('/').some((segment) => segment === '.' || segment === '..')) {
      throw finalFailure(`The key ${key} begins with a slash, or has a segment of dots.`);
    }
  }
  return wanted;
}

function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function deletion(command: Command): (key: string) => KvOperation {
  return (Key) => ({ Verb: 'delete', Key, ...inNamespace(command) });
}

function inNamespace({ namespace }: Command): { readonly Namespace?: string } {
  return namespace === undefined ? {} : { Namespace: namespace };
}

/**
 * Transactions whose bodies are within the limits.
 *
 * @throws StepFailure, final, for a value that does not fit into one.
 */
function* transactions(operations: readonly KvOperation[]): Generator<readonly KvOperation[]> {
  let batch: KvOperation[] = [];
  let bytes = 2;
  for (const operation of operations) {
    const size = Buffer.byteLength(JSON.stringify({ KV: operation })) + 1;
    if (size + 2 > MAX_BODY_BYTES) {
      throw finalFailure(
        `The value of the key ${operation.Key} does not fit into a transaction of ${MAX_BODY_BYTES / 1024} KiB.`,
      );
    }
    if (batch.length === MAX_OPERATIONS || bytes + size > MAX_BODY_BYTES) {
      yield batch;
      [batch, bytes] = [[], 2];
    }
    batch.push(operation);
    bytes += size;
  }
  if (batch.length > 0) {
    yield batch;
  }
}

function isSame(
  entry: { readonly Value: string | null; readonly Flags: number } | undefined,
  value: string,
  { flags }: Command,
): boolean {
  return entry?.Flags === flags && Buffer.from(entry.Value ?? '', 'base64').equals(Buffer.from(value));
}
