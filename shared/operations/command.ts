import { z } from 'zod';
import { type Maker, makerOf } from '../platform/http/caller.ts';
import { nameSchema } from '../platform/http/name.ts';
import { webUrlSchema } from '../platform/http/web-url.ts';

/** Operation ids part them by line feeds (operation-id.ts); CloudEvents have no control characters in texts anyway. */
const ONE_LINE = /^[^\r\n]+$/;

/** Attributes of a command as a CloudEvent 1.0 in structured JSON; `data` is checked by the rule of the type. */
export const commandEventSchema = z.looseObject({
  specversion: z.literal('1.0'),
  id: z
    .string()
    .max(256)
    .regex(ONE_LINE, 'must be one line of text')
    .describe(
      'With `source` it names the command: sent twice, it is done once, for as long as its operation is kept (30 days after its end, unless configured).',
    ),
  source: z.string().max(512).regex(ONE_LINE, 'must be one line of text'),
  type: z.string().max(128),
  datacontenttype: z.string().optional(),
  time: z.iso.datetime({ offset: true }).optional(),
  subject: z.string().max(512).optional(),
  traceparent: z.string().max(128).optional(),
  ns: nameSchema.optional().describe('The namespace; `default` without.'),
  replyto: z
    .string()
    .max(260)
    .optional()
    .describe('A queue or topic of the same namespace of the bus that is told how it goes.'),
  callback: webUrlSchema.optional().describe('A URL that is told how it goes, by a signed webhook.'),
  callbacksecret: z
    .string()
    .optional()
    .describe('`whsec_…`, by which the webhook is signed; without it Skerry makes one up.'),
  data: z.unknown(),
});

type CommandEvent = z.output<typeof commandEventSchema>;

/** A command that can be done, by somebody who is known. */
export interface Command extends CommandEvent, Maker {
  readonly ns: string;
}

/** The command of whoever sent it: what the event says of who that is, and of what they may do, is anybody's word. */
export function commandOf(event: CommandEvent, ns: string, sender: Maker): Command {
  const { actor: _, roles: __, ...attributes } = event;
  return { ...attributes, ns, ...makerOf(sender) };
}
