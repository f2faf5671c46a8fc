import {
  type Command,
  OPERATIONS_AUTHOR,
  type Operation,
  type OperationCallbacks,
  operationKey,
  type PreparedCallback,
} from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import { SkerryError } from '../platform/errors.ts';
import { type CallerOf, makerOf } from '../platform/http/index.ts';
import { type Consents, hashId, type Subscriptions } from '../webhooks/index.ts';
import { checkReplyTarget } from './reply-target.ts';

export interface CallbacksOptions {
  readonly subscriptions: Subscriptions;
  readonly consents: Consents;
  /** What senders of commands may do now. */
  readonly callerOf: CallerOf;
  readonly clock: Clock;
  /** Under which endpoints reach this app to consent, without a slash at its end. */
  readonly baseUrl: string;
}

const DAY_MILLISECONDS = 24 * 60 * 60 * 1_000;
/** For deliveries that are tried again, and for people who look what became of them. */
const LIFE_AFTER_END = 7 * DAY_MILLISECONDS;
/** Of one whose operation never came to be, because whoever prepared it died; more than any operation takes. */
const LIFE_WITHOUT_END = 365 * DAY_MILLISECONDS;

/**
 * The subscriptions that call the `callback` of commands: as others, but made by the command, and ending by themselves. Such a subscription
 * stands before the operation's record is first written; as the fan-out asks who has subscribed after it read of a change, it
 * knows of the subscription at the first of them.
 */
export class Callbacks implements OperationCallbacks {
  readonly #options: CallbacksOptions;

  constructor(options: CallbacksOptions) {
    this.#options = options;
  }

  async prepare(command: Command, operation: string): Promise<PreparedCallback> {
    const { replyto, callback } = command;
    if (replyto !== undefined) {
      checkReplyTarget(replyto);
    }
    const replies = { ...(replyto !== undefined && { replyTo: replyto }) };
    if (callback === undefined) {
      return { told: replies };
    }
    await this.#checkSender(command, operation);
    return await this.#subscribe({ ...command, callback }, operation, replies);
  }

  /** As of any subscription, its maker is to be allowed to see what it tells. */
  async #checkSender(command: Command, operation: string): Promise<void> {
    const caller = await this.#options.callerOf(makerOf(command));
    if (!caller.may('watch', command.ns, operationKey(operation))) {
      throw new SkerryError(
        'forbidden',
        'Whoever sends a command may not watch operations, and names a callback.',
        {
          field: 'callback',
          fix: 'Leave it out, or ask an administrator for a role that allows to watch "/op".',
        },
      );
    }
  }

  async ended({ ns, subscription, endedAt }: Operation): Promise<void> {
    if (subscription !== undefined && endedAt !== undefined) {
      const expiresAt = Date.parse(endedAt) + LIFE_AFTER_END;
      await this.#options.subscriptions.endAt(ns, subscription, expiresAt, OPERATIONS_AUTHOR);
    }
  }

  /** The same for all who come with the command at a time: the first one's subscription is that of all, with its secret. */
  async #subscribe(
    { ns, callback, callbacksecret, traceparent, ...command }: Command & { readonly callback: string },
    operation: string,
    replies: PreparedCallback['told'],
  ): Promise<PreparedCallback> {
    const { subscriptions, consents, clock, baseUrl } = this.#options;
    const id = `sub_${hashId('callback', operation)}`;
    const input = {
      name: operation,
      key: operationKey(operation),
      endpoint: callback,
      format: 'cloudevents',
    } as const;
    const subscription =
      (await subscriptions.find(ns, id)) ??
      (await consents.create(
        ns,
        input,
        { ...makerOf(command), ...(traceparent !== undefined && { traceparent }) },
        baseUrl,
        {
          id,
          secret: callbacksecret,
          expiresAt: clock.now() + LIFE_WITHOUT_END,
          isKept: true,
        },
      ));
    const secret = callbacksecret === undefined ? subscriptions.secretOf(ns, subscription) : undefined;
    return { told: { ...replies, subscription: id }, ...(secret !== undefined && { secret }) };
  }
}
