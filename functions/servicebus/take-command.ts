import type { InvocationContext } from '@azure/functions';
import { type Command, commandEventSchema } from '../../shared/operations/index.ts';
import { isRefusal } from '../../shared/platform/errors.ts';
import { checkInput } from '../../shared/platform/http/index.ts';
import type { Services } from '../services.ts';

const DEFAULT_NAMESPACE = 'default';

/**
 * Takes a command that somebody sent to the bus: it is an operation then, and what is to be done about it is other messages' business. What is
 * no command at all, and so has no id that an operation could have, is logged and gone: a function cannot put a message among the dead letters.
 */
export async function takeCommand(
  body: unknown,
  context: InvocationContext,
  { commands }: Pick<Services, 'commands'>,
): Promise<void> {
  let command: Command;
  try {
    const event = checkInput(commandEventSchema, readBody(body), 'field');
    command = { ...event, ns: event.ns ?? DEFAULT_NAMESPACE, actor: `bus:${event.source}` };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    context.error(`A message of the queue "commands" is no command: ${error.message}`);
    return;
  }
  await commands.accept(command, sessionOf(context));
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
