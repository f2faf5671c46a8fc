import { z } from 'zod';
import { type CommandRule, commandEventSchema } from '../../../shared/operations/index.ts';

/**
 * The JSON Schema (2020-12) of a whole command. It says just what the bus and `POST /commands` take: what can only be told by the state of
 * things comes later.
 *
 * @param id its URL.
 */
export function commandSchema({ type, summary, schema }: CommandRule, id: string): Record<string, unknown> {
  const event = commandEventSchema.extend({ type: z.literal(type), data: schema });
  const { $schema, ...described } = z.toJSONSchema(event, {
    io: 'input',
    cycles: 'throw',
    unrepresentable: 'any',
  });
  return {
    $schema,
    $id: id,
    title: type,
    description: `${summary} A CloudEvent 1.0 in structured JSON (application/cloudevents+json). On the queue "commands" its message has to name a session, which is what the command is about: the environment's id, "template:ID" or "bundle:NAME".`,
    ...described,
  };
}
