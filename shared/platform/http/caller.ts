/** What is done to keys. `reveal` shows secret values in clear; nothing but a role that names it allows it. */
export const VERBS = ['read', 'list', 'watch', 'write', 'delete', 'admin', 'reveal'] as const;
export type Verb = (typeof VERBS)[number];

/**
 * The keys that something is done to, all of which have to be allowed: `/app/dm` is that key and what is below it, by whole
 * segments; `/app/` is what is below; `beginWith` takes every key that begins with a text, also in the midst of a segment; `like` is
 * every key that a pattern of a role allows, with which a namespace may be a glob.
 */
export type Keys = string | { readonly beginWith: string } | { readonly like: string };

/** For people: of a range that no path of keys names, what its keys begin with, and `…`. */
export function textOfKeys(keys: Keys): string {
  if (typeof keys === 'string') {
    return keys;
  }
  return 'like' in keys ? keys.like : `${keys.beginWith}…`;
}

/** Who had something made that goes on without them, such as a subscription: enough to ask later what they may then do. */
export interface Maker {
  /** As changes record it: `token:tok_…`, `user:OID`, `app:APPID`, `bus:SOURCE`, `address:IP`, `anonymous`, `local`. */
  readonly actor: string;
  /**
   * What they had by claims: roles as `NAME` or `NAME:SERVICE`, and those groups, as `group:ID`, that some role had as a member. What a
   * token may do is looked up.
   */
  readonly roles?: readonly string[];
}

/** Who asks, and what they may do. */
export interface Caller {
  readonly maker: Maker;
  may(verb: Verb, ns: string, keys: Keys): boolean;
}

/** Whoever reaches a Skerry that is open to all. */
export const LOCAL = 'local';
/** Whose address nobody reports, or who asks for what is open to everybody. */
export const ANONYMOUS = 'anonymous';
const BY_ADDRESS = 'address:';

/** Who is known by no more than where they are. */
export function actorAt(address: string | undefined): string {
  return address === undefined ? ANONYMOUS : BY_ADDRESS + address;
}

/** Where somebody is who is known by no more; undefined for all others. */
export function addressOf(actor: string): string | undefined {
  return actor.startsWith(BY_ADDRESS) ? actor.slice(BY_ADDRESS.length) : undefined;
}

/** Whether somebody has shown nothing of who they are. */
export function isAnybody(actor: string): boolean {
  return actor === ANONYMOUS || actor === LOCAL || actor.startsWith(BY_ADDRESS);
}

/** May do everything, such as whoever reaches the loopback interface of a laptop. */
export function unrestricted(actor: string): Caller {
  return { maker: { actor }, may: () => true };
}

/** What somebody may do now who had something made before; nothing, where they are not known any more. */
export type CallerOf = (maker: Maker) => Promise<Caller>;

/** As it is kept with what goes on in somebody's name; of whatever has their actor and roles among others. */
export function makerOf({ actor, roles }: Maker): Maker {
  return { actor, ...(roles !== undefined && { roles }) };
}

/** Whether it is Skerry itself, such as where it destroys an environment when that is planned; no caller's actor begins so. */
export function isSystem({ actor }: Maker): boolean {
  return actor.startsWith('system:');
}

/** May do nothing. */
export function nobody(actor: string): Caller {
  return { maker: { actor }, may: () => false };
}
