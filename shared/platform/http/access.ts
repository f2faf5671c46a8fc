import { notFound, SkerryError } from '../errors.ts';
import { type Caller, type Keys, textOfKeys, type Verb } from './caller.ts';
import type { HeaderReader } from './request.ts';

/** What an endpoint does to which keys. */
export interface KeyAccess {
  readonly verb: Verb;
  /** `{name}` stands for the route parameter; see `Keys`. */
  readonly keys: string;
  /** The namespace of the request unless given. */
  readonly ns?: string;
  /** A surface of a replaced system, whose clients cannot send a token: it follows `SKERRY_LEGACY_ACCESS`. */
  readonly legacy?: boolean;
}

/**
 * Who may call an endpoint: anybody at all, as with probes and links that carry a secret of their own; any caller that is known,
 * where the endpoint shows nothing of what is kept; or those who may do this to these keys.
 */
export type Access = 'open' | 'known' | KeyAccess;

/** Keys that a request turns out to touch once its query and body are read. */
export interface Touch {
  readonly verb: Verb;
  readonly keys: Keys;
  /** The namespace of the request unless given. */
  readonly ns?: string;
}

/** What a caller may not do. */
export interface Denial extends Touch {
  readonly ns: string;
}

/** What is known of who asks before anything else of a request is looked at. */
export interface Credentials {
  readonly headers: HeaderReader;
  readonly clientAddress: string | undefined;
}

/** Tells callers apart; what each may do is theirs to say. */
export interface AccessControl {
  /** Whether an endpoint exists for whoever asks; a legacy surface that is off does not. */
  isOffered(access: Access, credentials: Credentials): boolean;
  /**
   * Who asks.
   *
   * @throws SkerryError `unauthorized` for no credentials where some are needed, and for any that are not accepted.
   */
  admit(access: Access, credentials: Credentials): Promise<Caller>;
}

/** The keys of an endpoint's access, for the parameters of a request. */
export function keysOf({ keys }: KeyAccess, params: Readonly<Record<string, string>>): string {
  return keys.replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name] ?? '');
}

/**
 * Has a caller go on only if all of this is allowed. Who may not even see the keys hears what one hears of things that do not exist.
 *
 * @param missing what the endpoint says of a thing that does not exist.
 * @throws SkerryError `forbidden` where the caller may read the keys; else what `missing` makes.
 */
export function authorize(
  caller: Caller,
  ns: string,
  touches: readonly Touch[],
  missing: () => SkerryError,
): void {
  for (const { verb, keys, ns: other = ns } of touches) {
    if (!caller.may(verb, other, keys)) {
      const mayKnow = touches.every((touch) => caller.may('read', touch.ns ?? ns, touch.keys));
      const refusal = mayKnow ? forbidden(verb, other, keys) : missing();
      throw refusal.with({ denial: { verb, ns: other, keys } });
    }
  }
}

function forbidden(verb: Verb, ns: string, keys: Keys): SkerryError {
  const which = `${textOfKeys(keys)} in the namespace "${ns}"`;
  return new SkerryError('forbidden', `The caller may not ${verb} ${which}.`, {
    fix: `Ask an administrator for a role that allows to ${verb} these keys.`,
  });
}

/** What is said of a path that nothing is known about. */
export function nothingAt(path: string): SkerryError {
  return notFound(`There is nothing at ${path}.`, {
    fix: 'The resources of the API are described at /api/v1/openapi.json.',
  });
}
