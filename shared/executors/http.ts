import { z } from 'zod';
import type { Executor, Observation, StepOutcome, StepRequest } from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Credential } from '../platform/origin-credentials.ts';
import type { Json } from '../records/index.ts';
import { eventSource, oneValue, sign } from '../webhooks/index.ts';
import { boundOutputs } from './bounded-outputs.ts';
import { appUrl } from './command.ts';
import type { ExecutorParts } from './index.ts';
import {
  type Answer,
  failureOf,
  isSuccess,
  type OutboundCall,
  originOf,
  parse,
  sentenceIn,
} from './outbound/index.ts';
import { finalFailure, outcomeOf, outcomeOfPoll, passingFailure, pending } from './step-failure.ts';

const POLL_SECONDS = 5;

/** Of an operation: Azure's `status`, or the `state` of this product. Other words mean that it goes on. */
const SUCCEEDED = new Set(['succeeded', 'completed']);
const FAILED = new Set(['failed', 'canceled', 'cancelled']);
/** What a URL of `Location`, which answers with the result once there is one, may say instead of 202. */
const GOING_ON = new Set(['accepted', 'notstarted', 'queued', 'pending', 'running', 'inprogress']);

/** Where the work goes on; `isOperation`: what answers there is an operation, and not the result; `word`: what it said last. */
const handleSchema = z.object({ url: z.string(), isOperation: z.boolean(), word: z.string().optional() });
type Handle = z.output<typeof handleSchema>;

const bodySchema = z.looseObject({
  status: z.string().optional().catch(undefined),
  state: z.string().optional().catch(undefined),
  outputs: z.record(z.string(), z.json()).optional().catch(undefined),
  exists: z.boolean().optional().catch(undefined),
  difference: z.string().optional().catch(undefined),
});

/** Calls the URL of the app with the command, as a signed CloudEvent, and asks after what goes on there. */
export class HttpExecutor implements Executor {
  readonly #outbound: ExecutorParts['outbound'];
  readonly #clock: Clock;
  readonly #publicUrl: string | undefined;

  constructor({ outbound, clock, publicUrl }: ExecutorParts) {
    this.#outbound = outbound;
    this.#clock = clock;
    this.#publicUrl = publicUrl;
  }

  start(request: StepRequest): Promise<StepOutcome> {
    return outcomeOf(async () => {
      const url = appUrl(request);
      const answer = await this.#send(url, request);
      if (!isSuccess(answer)) {
        throw failureOf(answer, `POST ${url}`);
      }
      const isSigned = this.#outbound.credentialOf(url)?.secret !== undefined;
      const log = isSigned ? [] : [`The call is not signed: there is no secret for ${originOf(url)}.`];
      const handle = handleOf(answer, url);
      return handle === undefined ? done(answer, log) : goesOn(handle, answer, log);
    });
  }

  poll(request: StepRequest, kept: Json): Promise<StepOutcome> {
    return outcomeOfPoll(kept, async () => {
      const handle = handleSchema.parse(kept);
      const answer = await this.#call(request, { method: 'GET', url: handle.url, isRepeatable: true });
      if (!isSuccess(answer)) {
        throw failureOf(answer, 'GET of the operation');
      }
      return outcomeOfOperation(handle, answer);
    });
  }

  /** By `POST …/cancel`, and where there is no such thing by DELETE. */
  async cancel(request: StepRequest, kept: Json): Promise<void> {
    const { url } = handleSchema.parse(kept);
    const cancelUrl = new URL(url);
    cancelUrl.pathname = `${cancelUrl.pathname.replace(/\/+$/, '')}/cancel`;
    const posted = await this.#call(request, { method: 'POST', url: cancelUrl.href, isRepeatable: true });
    if (posted.status !== 404 && posted.status !== 405) {
      return checkCancelled(posted);
    }
    checkCancelled(await this.#call(request, { method: 'DELETE', url, isRepeatable: true }));
  }

  /** By GET, which changes nothing: of whoever answers POST only, nothing can be told. */
  async observe(request: StepRequest): Promise<Observation> {
    const url = new URL(appUrl(request));
    for (const name of ['environment', 'resource'] as const) {
      const value = request[name];
      if (value !== undefined) {
        url.searchParams.set(name, value);
      }
    }
    const answer = await this.#call(request, { method: 'GET', url: url.href, isRepeatable: true });
    if (answer.status === 404 || answer.status === 410) {
      return { exists: false };
    }
    if (!isSuccess(answer)) {
      throw failureOf(answer, 'GET of the resource');
    }
    const { exists = true, difference } = bodyOf(answer);
    return { exists, ...(difference !== undefined && { difference }) };
  }

  /** The same bytes with every attempt, so that a receiver that compares them finds what it has. */
  #send(url: string, request: StepRequest): Promise<Answer> {
    const {
      ns,
      operation,
      step,
      verb,
      idempotencyKey,
      fence,
      environment,
      resource,
      action,
      outputs,
      actor,
    } = request;
    const body = JSON.stringify({
      specversion: '1.0',
      id: idempotencyKey,
      source: eventSource([ns, 'op', operation], this.#publicUrl),
      type: `skerry.step.${verb}`,
      subject: `/op/${operation}/steps/${step}`,
      datacontenttype: 'application/json',
      data: {
        ns,
        environment,
        resource,
        verb,
        action: action.name,
        command: action.command,
        outputs,
        fence,
        actor,
      },
    });
    return this.#outbound.call({
      method: 'POST',
      url,
      headers: {
        'content-type': 'application/cloudevents+json',
        accept: 'application/json',
        'idempotency-key': idempotencyKey,
      },
      body,
      // Not every receiver minds the key; the next attempt is announced as one.
      isRepeatable: false,
      authenticate: (credential) => this.#authenticate(credential, idempotencyKey, body),
      signal: request.signal,
    });
  }

  #call(request: StepRequest, call: Omit<OutboundCall, 'signal'>): Promise<Answer> {
    return this.#outbound.call({
      ...call,
      headers: { accept: 'application/json' },
      authenticate: (credential) => this.#authenticate(credential, request.idempotencyKey, ''),
      signal: request.signal,
    });
  }

  #authenticate({ token, secret }: Credential, id: string, body: string): Record<string, string> {
    const timestamp = Math.floor(this.#clock.now() / 1000);
    return {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(secret !== undefined && {
        'webhook-id': id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': sign('v1', secret, id, timestamp, body),
      }),
    };
  }
}

/**
 * Where to ask; undefined where the work is done.
 *
 * @throws StepFailure for a 202 that does not say so, and for what is elsewhere: another origin would be asked in our name.
 */
function handleOf({ status, headers }: Answer, base: string): Handle | undefined {
  if (status !== 201 && status !== 202) {
    return undefined;
  }
  const operation = oneValue(headers['operation-location']) ?? oneValue(headers['azure-asyncoperation']);
  const location = operation ?? (status === 202 ? oneValue(headers.location) : undefined);
  if (location === undefined) {
    if (status === 202) {
      throw finalFailure(
        'The app answered 202 without Operation-Location or Location: nobody can tell when it is done.',
      );
    }
    return undefined;
  }
  if (!URL.canParse(location, base) || new URL(location, base).origin !== originOf(base)) {
    throw finalFailure('The app answered with an operation of another origin, which is not followed.');
  }
  return { url: new URL(location, base).href, isOperation: operation !== undefined };
}

function outcomeOfOperation(handle: Handle, answer: Answer): StepOutcome {
  if (!answer.isWhole) {
    throw passingFailure('GET of the operation: the answer is too long to be read.');
  }
  const { status, state } = bodyOf(answer);
  const word = (status ?? state ?? '').toLowerCase();
  if (FAILED.has(word)) {
    throw finalFailure(`The operation ${word}: ${sentenceIn(parse(answer.text)) ?? 'it does not say why.'}`);
  }
  const goingOn = handle.isOperation ? word !== '' && !SUCCEEDED.has(word) : GOING_ON.has(word);
  if (answer.status !== 202 && !goingOn) {
    return done(answer, []);
  }
  return word === '' || word === handle.word
    ? goesOn(handle, answer, [])
    : goesOn({ ...handle, word }, answer, [`The operation is ${word}.`]);
}

function goesOn(handle: Handle, { retryAfterSeconds }: Answer, log: readonly string[]): StepOutcome {
  return pending(handle, retryAfterSeconds ?? POLL_SECONDS, log);
}

function done(answer: Answer, log: readonly string[]): StepOutcome {
  const isJson = /[/+]json\b/.test(oneValue(answer.headers['content-type']) ?? '');
  if (isJson && !answer.isWhole) {
    throw finalFailure('The answer is too long to be read, and may hold outputs.');
  }
  const { outputs } = isJson ? bodyOf(answer) : {};
  if (outputs === undefined) {
    // Those that the resource has stay.
    return { state: 'succeeded', log };
  }
  const bounded = boundOutputs(Object.entries(outputs));
  return { state: 'succeeded', outputs: bounded.outputs, log: [...log, ...bounded.log] };
}

/** Empty where it is no JSON object. */
function bodyOf(answer: Answer): z.output<typeof bodySchema> {
  return bodySchema.catch({}).parse(parse(answer.text));
}

/** 404, 409 and 410: there is nothing left to cancel. */
function checkCancelled(answer: Answer): void {
  if (!isSuccess(answer) && ![404, 409, 410].includes(answer.status)) {
    throw failureOf(answer, 'Cancelling the operation');
  }
}
