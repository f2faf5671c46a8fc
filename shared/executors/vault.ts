import { randomInt } from 'node:crypto';
import { z } from 'zod';
import type { Executor, Observation, StepOutcome, StepRequest } from '../operations/index.ts';
import { jsonEquals } from '../platform/json-equals.ts';
import type { Credential } from '../platform/origin-credentials.ts';
import type { Json } from '../records/index.ts';
import { appUrl, readCommand } from './command.ts';
import type { ExecutorParts } from './index.ts';
import { type Answer, failureOf, isPassingStatus, isSuccess, parse, readBody } from './outbound/index.ts';
import { finalFailure, outcomeOf, passingFailure } from './step-failure.ts';

const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

const pathSchema = z
  .string()
  .max(512)
  .regex(/^[^/?#%\\\s]+(\/[^/?#%\\\s]+)*$/, 'must be segments separated by slashes')
  .refine(
    (path) => !path.split('/').some((segment) => /^\.+$/.test(segment)),
    'must not have segments of dots',
  );

/** A secret that is made up once, and kept from then on. */
const generatedSchema = z.strictObject({
  generate: z.strictObject({
    length: z.int().min(8).max(1024).default(32),
    /** The characters that it is made of. */
    charset: z
      .string()
      .regex(/^[\x21-\x7e]{2,94}$/, 'must be 2 to 94 printable characters of ASCII')
      .refine((text) => new Set(text).size === text.length, 'must not repeat a character')
      .default(ALPHANUMERIC),
  }),
});
/** What only looks like a secret to be made up must not be written as it is. */
const plainSchema = z
  .json()
  .refine((value) => !(typeof value === 'object' && value !== null && 'generate' in value), {
    error: 'must be generate with length and charset alone',
  });
type Generated = z.output<typeof generatedSchema>['generate'];

const commandSchema = z.strictObject({
  mount: pathSchema.default('secret'),
  path: pathSchema,
  namespace: pathSchema.optional(),
  /** All members of the secret. */
  data: z.record(z.string().min(1).max(128), z.union([generatedSchema, plainSchema])),
  /** Whether destruction deletes the newest version only, so that it can be undone in Vault. */
  keepVersions: z.boolean().default(false),
});
type Command = z.output<typeof commandSchema>;

/** A version that is read or deleted; of deleted ones the data is null. */
const secretSchema = z.looseObject({
  data: z.looseObject({
    data: z.record(z.string(), z.json()).nullable(),
    metadata: z.looseObject({ version: z.int() }),
  }),
});
const writtenSchema = z.looseObject({ data: z.looseObject({ version: z.int() }) });

interface Secret {
  /** The newest version; 0 where there was none yet. */
  readonly version: number;
  /** undefined where it is not there, or deleted. */
  readonly data: Readonly<Record<string, Json>> | undefined;
}

/**
 * Keeps one secret of a KV secrets engine, version 2. What it writes stands in no outcome, log or difference.
 */
export class VaultExecutor implements Executor {
  readonly #outbound: ExecutorParts['outbound'];

  constructor({ outbound }: ExecutorParts) {
    this.#outbound = outbound;
  }

  start(request: StepRequest): Promise<StepOutcome> {
    return outcomeOf(async () => {
      const command = readCommand(request, commandSchema);
      return request.verb === 'destroy'
        ? await this.#remove(request, command)
        : await this.#write(request, command);
    });
  }

  async observe(request: StepRequest): Promise<Observation> {
    const command = readCommand(request, commandSchema);
    const { data } = await this.#read(request, command);
    if (data === undefined) {
      return { exists: false };
    }
    const wanted = wantedData(command, data, () => undefined);
    const names = new Set([...Object.keys(wanted), ...Object.keys(data)]);
    const isSame = (name: string) =>
      Object.hasOwn(wanted, name) && Object.hasOwn(data, name) && jsonEquals(wanted[name], data[name]);
    const differing = [...names].filter((name) => !isSame(name));
    return {
      exists: true,
      ...(differing.length > 0 && { difference: `differs in ${differing.join(', ')}` }),
    };
  }

  /** What is there already is kept, so that an attempt whose answer was lost is not repeated, nor a secret made up again. */
  async #write(request: StepRequest, command: Command): Promise<StepOutcome> {
    const current = await this.#read(request, command);
    const wanted = wantedData(command, current.data ?? {}, makeUp);
    const { mount, path } = command;
    if (current.data !== undefined && jsonEquals(wanted, current.data)) {
      const outputs = { mount, path, version: current.version };
      return { state: 'succeeded', outputs, log: ['It is there already.'] };
    }
    const answer = await this.#call(request, command, 'POST', 'data', {
      body: JSON.stringify({ options: { cas: current.version }, data: wanted }),
      secrets: Object.values(wanted).filter((value) => typeof value === 'string'),
    });
    if (answer.status === 400 && answer.text.includes('check-and-set')) {
      throw passingFailure('Somebody else wrote the secret in the meantime.');
    }
    if (answer.status === 204) {
      throw finalFailure(`The mount ${mount} is no KV secrets engine of version 2.`);
    }
    const { version } = readBody(
      checked(answer, 'Writing the secret'),
      writtenSchema,
      'Writing the secret',
    ).data;
    return { state: 'succeeded', outputs: { mount, path, version }, log: [`Wrote version ${version}.`] };
  }

  async #remove(request: StepRequest, command: Command): Promise<StepOutcome> {
    const answer = await this.#call(request, command, 'DELETE', command.keepVersions ? 'data' : 'metadata');
    if (answer.status !== 404) {
      checked(answer, 'Removing the secret');
    }
    return { state: 'succeeded', log: ['Removed.'] };
  }

  async #read(request: StepRequest, command: Command): Promise<Secret> {
    const answer = await this.#call(request, command, 'GET', 'data');
    if (answer.status === 404) {
      // Of a version that is deleted there are metadata; of what never was, nothing.
      const deleted = secretSchema.safeParse(parse(answer.text));
      return { version: deleted.data?.data.metadata.version ?? 0, data: undefined };
    }
    const { data } = readBody(checked(answer, 'Reading the secret'), secretSchema, 'Reading the secret');
    return { version: data.metadata.version, data: data.data ?? undefined };
  }

  #call(
    request: StepRequest,
    { mount, path, namespace }: Command,
    method: 'GET' | 'POST' | 'DELETE',
    part: 'data' | 'metadata',
    sent: { readonly body?: string; readonly secrets?: readonly string[] } = {},
  ): Promise<Answer> {
    return this.#outbound.call({
      method,
      url: `${appUrl(request)}/v1/${mount}/${part}/${path}`,
      headers: {
        'x-vault-request': 'true',
        ...(sent.body !== undefined && { 'content-type': 'application/json' }),
        ...(namespace !== undefined && { 'x-vault-namespace': namespace }),
      },
      ...sent,
      isRepeatable: method !== 'POST',
      authenticate,
      signal: request.signal,
    });
  }
}

function authenticate({ token }: Credential): Record<string, string> {
  return token === undefined ? {} : { 'x-vault-token': token };
}

/**
 * The members as they are to be: plain ones as the command has them, the others as they are.
 *
 * @param make what stands for a secret that is not there.
 */
function wantedData(
  { data }: Command,
  current: Readonly<Record<string, Json>>,
  make: (generated: Generated) => Json | undefined,
): Record<string, Json | undefined> {
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => {
      const generated = generatedSchema.safeParse(value);
      if (!generated.success) {
        return [name, value as Json];
      }
      const kept = Object.hasOwn(current, name) ? current[name] : undefined;
      return [name, typeof kept === 'string' && kept !== '' ? kept : make(generated.data.generate)];
    }),
  );
}

function makeUp({ length, charset }: Generated): string {
  return Array.from({ length }, () => charset[randomInt(charset.length)]).join('');
}

/**
 * A success.
 *
 * @throws StepFailure; 412 (a replica that is behind), and 472 and 473 (a standby) pass.
 */
function checked(answer: Answer, doing: string): Answer {
  const { status } = answer;
  if (!isSuccess(answer)) {
    throw failureOf(
      answer,
      doing,
      isPassingStatus(status) || status === 412 || status === 472 || status === 473,
    );
  }
  return answer;
}
