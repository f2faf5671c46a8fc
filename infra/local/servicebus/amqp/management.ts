import rhea from 'rhea';
import { z } from 'zod';
import type { PropertyChanges } from '../broker/message.ts';
import type { MessageQueue } from '../broker/message-queue.ts';
import type { ManagementOperation } from '../faults.ts';
import { invalidArgument, messageNotFound, messageTooLarge, notImplemented } from '../service-bus-error.ts';
import { settleMessage } from './consumer-link.ts';
import { encodeString } from './encoding.ts';
import { requireReceiving, requireSending } from './entity-roles.ts';
import type { FaultInjection } from './fault-injection.ts';
import { fromUuidBytes } from './lock-token.ts';
import { encodeMessage, parseMessage } from './message-codec.ts';
import type { Outcome } from './outcome.ts';
import { MAX_MESSAGE_SIZE } from './producer-link.ts';
import type { Reply, Request } from './reply-links.ts';
import { encodeTyped } from './rhea-internals.ts';

/** Bytes of messages in one reply to a peek, which promises no number of messages; the client asks again. */
const PEEK_SIZE = 1024 * 1024;

const ASSOCIATED_LINK = 'associated-link-name';

const LONG = 0x81;
const TIMESTAMP = 0x83;

const sequenceNumber = z.number().int();
const lockToken = z.instanceof(Buffer).transform(fromUuidBytes);

const SCHEDULE = z.object({ messages: z.array(z.object({ message: z.instanceof(Buffer) })) });
const CANCEL = z.object({ 'sequence-numbers': z.array(sequenceNumber) });
const PEEK = z.object({
  'from-sequence-number': sequenceNumber,
  'message-count': z.number().int().positive(),
  'session-id': z.string().nullish(),
});
const SESSION = z.object({ 'session-id': z.string() });
const SET_STATE = SESSION.extend({ 'session-state': z.instanceof(Buffer).nullish() });
const RENEW = z.object({ 'lock-tokens': z.array(lockToken) });
const SETTLE = z.object({
  'lock-tokens': z.array(lockToken),
  'disposition-status': z.enum(['completed', 'abandoned', 'defered', 'suspended']),
  'deadletter-reason': z.string().nullish(),
  'deadletter-description': z.string().nullish(),
  'properties-to-modify': z.record(z.string(), z.unknown()).nullish(),
});

const OUTCOMES = {
  completed: 'complete',
  abandoned: 'abandon',
  defered: 'defer',
  suspended: 'deadLetter',
} as const;

/** The last argument names the client's link that the request is about, where it says so. */
type Perform = (queue: MessageQueue, body: unknown, link: string | undefined) => Reply | Promise<Reply>;

/** Microsoft, "AMQP 1.0 in Azure Service Bus: request-response-based operations". */
const OPERATIONS: Readonly<Record<string, readonly [ManagementOperation | 'settle', Perform]>> = {
  'com.microsoft:schedule-message': ['schedule', schedule],
  'com.microsoft:cancel-scheduled-message': ['cancelScheduled', cancelScheduled],
  'com.microsoft:peek-message': ['peek', peek],
  'com.microsoft:renew-lock': ['renewLock', renewLocks],
  'com.microsoft:update-disposition': ['settle', settle],
  'com.microsoft:renew-session-lock': ['renewSessionLock', renewSessionLock],
  'com.microsoft:get-session-state': ['getSessionState', getSessionState],
  'com.microsoft:set-session-state': ['setSessionState', setSessionState],
  'com.microsoft:receive-by-sequence-number': ['receiveDeferred', receiveDeferred],
};

/** Performs a request on the `$management` node of a queue, or throws a `ServiceBusError`. */
export async function manage(
  queue: MessageQueue,
  { properties, body }: Request,
  faults: FaultInjection | undefined,
): Promise<Reply> {
  const name = String(properties.operation);
  const [operation, perform] = (Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name] : undefined) ?? [];
  if (operation === undefined || perform === undefined)
    throw notImplemented(`the management operation ${name}`);
  if (operation === 'schedule' || operation === 'cancelScheduled') requireSending(queue);
  else requireReceiving(queue);
  const link = properties[ASSOCIATED_LINK];
  const work = async () => perform(queue, body, typeof link === 'string' ? link : undefined);
  if (faults === undefined) return work();
  const operated = operation === 'settle' ? outcomeOf(read(SETTLE, body)).kind : operation;
  const loseLocks = () => loseLocksIn(queue, body);
  return faults.run({ operation: operated, byManagement: true, loseLocks }, work);
}

function loseLocksIn(queue: MessageQueue, body: unknown): void {
  for (const token of RENEW.safeParse(body).data?.['lock-tokens'] ?? []) queue.loseLock(token);
  const session = SESSION.safeParse(body).data;
  if (session !== undefined) queue.loseSessionLock(session['session-id']);
}

async function schedule(queue: MessageQueue, body: unknown): Promise<Reply> {
  const { messages } = read(SCHEDULE, body);
  const contents = messages.map(({ message }) => {
    if (message.length > MAX_MESSAGE_SIZE) throw messageTooLarge(message.length, MAX_MESSAGE_SIZE);
    return parseMessage(message);
  });
  const sequenceNumbers = await queue.send(contents);
  return ok({ 'sequence-numbers': rhea.types.wrap_array(sequenceNumbers, LONG, undefined) });
}

async function cancelScheduled(queue: MessageQueue, body: unknown): Promise<Reply> {
  await queue.cancelScheduled(read(CANCEL, body)['sequence-numbers']);
  return ok({});
}

function peek(queue: MessageQueue, body: unknown): Reply {
  const { 'from-sequence-number': from, 'message-count': count, 'session-id': session } = read(PEEK, body);
  const messages: { message: Buffer }[] = [];
  let size = 0;
  for (const peeked of queue.peek(from, count, session ?? undefined)) {
    const message = encodeMessage(peeked);
    size += message.length;
    if (messages.length > 0 && size > PEEK_SIZE) break;
    messages.push({ message });
  }
  if (messages.length === 0) return { statusCode: 204, statusDescription: 'No messages available.' };
  return ok({ messages });
}

function renewLocks(queue: MessageQueue, body: unknown): Reply {
  const expirations = read(RENEW, body)['lock-tokens'].map((token) => queue.renewLock(token));
  return ok({ expirations: rhea.types.wrap_array(expirations, TIMESTAMP, undefined) });
}

function renewSessionLock(queue: MessageQueue, body: unknown, link: string | undefined): Reply {
  const expiration = queue.renewSessionLock(read(SESSION, body)['session-id'], link);
  return ok({ expiration: rhea.types.wrap_timestamp(expiration) });
}

function getSessionState(queue: MessageQueue, body: unknown, link: string | undefined): Reply {
  const state = queue.getSessionState(read(SESSION, body)['session-id'], link);
  return ok({ 'session-state': state ?? null });
}

async function setSessionState(queue: MessageQueue, body: unknown, link: string | undefined): Promise<Reply> {
  const { 'session-id': sessionId, 'session-state': state } = read(SET_STATE, body);
  if (state && state.length > MAX_MESSAGE_SIZE) throw messageTooLarge(state.length, MAX_MESSAGE_SIZE);
  await queue.setSessionState(sessionId, link, state ?? undefined);
  return ok({});
}

/** Nothing can be deferred here, so no deferred message is ever found. */
function receiveDeferred(): Reply {
  throw messageNotFound();
}

async function settle(queue: MessageQueue, body: unknown): Promise<Reply> {
  const request = read(SETTLE, body);
  const outcome = outcomeOf(request);
  await Promise.all(request['lock-tokens'].map((token) => settleMessage(queue, token, outcome)));
  return ok({});
}

function outcomeOf(request: z.infer<typeof SETTLE>): Outcome {
  const kind = OUTCOMES[request['disposition-status']];
  const changes = encodeProperties(request['properties-to-modify'] ?? {});
  if (kind !== 'deadLetter') return { kind, changes };
  const { 'deadletter-reason': reason, 'deadletter-description': description } = request;
  const reasons = {
    ...(reason && { DeadLetterReason: encodeString(reason) }),
    ...(description && { DeadLetterErrorDescription: encodeString(description) }),
  };
  return { kind, changes: { ...changes, ...reasons } };
}

function encodeProperties(properties: Readonly<Record<string, unknown>>): PropertyChanges {
  const encode = ([name, value]: [string, unknown]) => [name, encodeTyped(rhea.types.wrap(value))] as const;
  return Object.fromEntries(Object.entries(properties).map(encode));
}

function read<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  const result = schema.safeParse(body);
  if (!result.success) throw invalidArgument(`The request body is invalid: ${z.prettifyError(result.error)}`);
  return result.data;
}

function ok(body: Readonly<Record<string, unknown>>): Reply {
  return { statusCode: 200, statusDescription: 'OK', body };
}
