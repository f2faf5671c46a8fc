import { conflict, type SkerryError } from '../../platform/errors.ts';
import type { Caller, CallerOf, Keys, Maker } from '../../platform/http/index.ts';
import type { Subscription, SubscriptionValue } from './subscription.ts';
import { checkWatchedKey, watchedKeys } from './watched-key.ts';

/*
 * A subscription sees what its maker may see at that time. Whoever creates or replaces it is its maker, and may watch all that its key covers then;
 * each change is sent only if the maker may read its key when it is sent.
 */

/** Of subscriptions from before makers were written down: where access is controlled they send nothing until somebody replaces them. */
const UNKNOWN: Maker = { actor: 'unknown' };

/** Of a delivery that is not made. It does not name the key, which whoever sees the delivery may not know. */
export const NOT_READABLE =
  'Whoever made the subscription may not read the key of this change. Somebody who may has to replace the subscription.';

/** All that a subscription to a key may see. @throws SkerryError `invalid` for a key that cannot be watched. */
export function checkedKeys(watched: string): Keys {
  checkWatchedKey(watched);
  return watchedKeys(watched);
}

/** What makers may do, each asked for once in the life of this: for so long as one batch takes. */
export class KnownMakers {
  readonly #callerOf: CallerOf;
  readonly #known = new Map<string, Caller>();

  constructor(callerOf: CallerOf) {
    this.#callerOf = callerOf;
  }

  /** At once where it is known. */
  async mayRead(
    ns: string,
    { maker = UNKNOWN }: Pick<SubscriptionValue, 'maker'>,
    key: string,
  ): Promise<boolean> {
    const name = maker.roles === undefined ? maker.actor : [maker.actor, ...maker.roles].join('\n');
    let caller = this.#known.get(name);
    if (caller === undefined) {
      caller = await this.#callerOf(maker);
      this.#known.set(name, caller);
    }
    return caller.may('read', ns, key);
  }
}

/** Whether the maker of a subscription may see a key now. */
export async function mayRead(
  ns: string,
  { maker = UNKNOWN }: Pick<SubscriptionValue, 'maker'>,
  key: string,
  callerOf: CallerOf,
): Promise<boolean> {
  return (await callerOf(maker)).may('read', ns, key);
}

/** Whether the maker of a subscription still may watch all that it is to be told of. */
export async function mayStillWatch(
  ns: string,
  { maker = UNKNOWN, key }: Pick<SubscriptionValue, 'maker' | 'key'>,
  callerOf: CallerOf,
): Promise<boolean> {
  return (await callerOf(maker)).may('watch', ns, watchedKeys(key));
}

/** @throws SkerryError `conflict` where nothing is to be sent in the name of the maker. */
export async function checkMaker(ns: string, subscription: Subscription, callerOf: CallerOf): Promise<void> {
  if (!(await mayStillWatch(ns, subscription, callerOf))) {
    throw notAllowed(subscription.id);
  }
}

function notAllowed(id: string): SkerryError {
  return conflict(`Whoever made the subscription "${id}" may not watch its key any more.`, {
    fix: `Have somebody who may replace it by PUT /api/v1/subscriptions/${id}.`,
  });
}
