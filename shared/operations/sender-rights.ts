import { notFound, SkerryError } from '../platform/errors.ts';
import { authorize, type CallerOf, makerOf } from '../platform/http/index.ts';
import type { Json } from '../records/index.ts';
import type { Command } from './command.ts';
import type { CommandRule, Operation } from './command-rule.ts';

/*
 * A command may do what its sender may do at that time: it is asked for when the command comes, whichever way, when its turn comes after it has waited,
 * and before each attempt of a step begins. What has begun elsewhere is followed to its end all the same.
 */

type Sent = Pick<Command & Operation, 'ns' | 'actor' | 'roles'>;

/**
 * Has a command go on only if its sender may do now what it does.
 *
 * @throws SkerryError `forbidden`; where the sender may not even know what the command is about, what is said of things that do not exist.
 */
export async function authorizeSender(
  rule: CommandRule,
  { ns, data, ...sender }: Sent & { readonly data: Json },
  callerOf: CallerOf,
): Promise<void> {
  const caller = await callerOf(makerOf(sender));
  authorize(
    caller,
    ns,
    rule.touches(data),
    () => rule.missing?.(ns, data) ?? notFound('There is nothing that the command could be about.'),
  );
}

/**
 * The same of an operation that was accepted before.
 *
 * @returns why it must not go on; undefined where it may.
 */
export async function refusalOfSender(
  rule: CommandRule,
  { ns, data, ...sender }: Operation,
  callerOf: CallerOf,
): Promise<SkerryError | undefined> {
  const caller = await callerOf(makerOf(sender));
  const isAllowed = rule.touches(data).every((touch) => caller.may(touch.verb, touch.ns ?? ns, touch.keys));
  return isAllowed
    ? undefined
    : new SkerryError('forbidden', 'Whoever sent the command may not do this any more.', {
        fix: 'Have it sent by somebody who may.',
      });
}
