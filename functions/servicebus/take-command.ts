import type { InvocationContext } from '@azure/functions';
import { z } from 'zod';
import {
  type Command,
  commandEventSchema,
  commandOf,
  isSourceOfRequests,
  operationIdOf,
} from '../../shared/operations/index.ts';
import type { Alerts } from '../../shared/platform/alerts.ts';
import { isRefusal } from '../../shared/platform/errors.ts';
import { checkInput, nameSchema } from '../../shared/platform/http/index.ts';
import type { Services } from '../services.ts';

const DEFAULT_NAMESPACE = 'default';

/** What a message must have to be known again, and so to be an operation, be it one that has failed. */
const namedSchema = z.object({
  id: commandEventSchema.shape.id,
  source: commandEventSchema.shape.source,
  type: z.string().max(128).catch(''),
  ns: nameSchema.catch(DEFAULT_NAMESPACE),
  data: z.unknown().optional(),
});

/**
 * Takes a command that somebody sent to the bus: it is an operation then, and what is to be done about it is other messages' business. What
 * is no command, or cannot be done, is an operation that has failed; what does not even have an id is logged and gone, for a function cannot
 * put a message among the dead letters.
 */
export async function takeCommand(
  body: unknown,
  context: InvocationContext,
  { commands, operations }: Pick<Services, 'commands' | 'operations'>,
  log: Alerts,
): Promise<void> {
  const event = readBody(body);
  const session = sessionOf(context);
  const named = namedSchema.safeParse(event);
  if (named.success && isSourceOfRequests(named.data.source)) {
    const { ns, source, id } = named.data;
    // Whoever asks over HTTP has an operation before the bus hears of it: this is somebody else, who would take its place.
    if ((await operations.find(ns, operationIdOf(ns, source, id))) === undefined) {
      log.error(`A command of the source "${source}" that nobody asked for over HTTP is gone.`);
      return;
    }
  }
  let command: Command;
  try {
    const known = checkInput(commandEventSchema, event, 'field');
    command = commandOf(known, known.ns ?? DEFAULT_NAMESPACE, { actor: `bus:${known.source}` });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (named.success) {
      const { data, ...attributes } = named.data;
      const actor = `bus:${attributes.source}`;
      await commands.refuse({ specversion: '1.0', ...attributes, data, actor }, session ?? '', error);
    } else {
      log.error(`A message of the queue "commands" is no command: ${error.message}`);
    }
    return;
  }
  await commands.accept(command, session);
}

/** The host hands bodies over as objects where they are JSON, and as text where nobody says so. */
function readBody(body: unknown): unknown {
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) return body;
  try {
    return JSON.parse(typeof body === 'string' ? body : Buffer.from(body).toString());
  } catch {
    return body;
  }
}

function sessionOf({ triggerMetadata }: InvocationContext): string | undefined {
  const session = triggerMetadata?.sessionId;
  return typeof session === 'string' ? session : undefined;
}
