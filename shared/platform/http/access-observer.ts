import type { SkerryError } from '../errors.ts';
import type { Touch } from './access.ts';
import type { Caller } from './caller.ts';

/** What somebody was refused. */
export interface Denial extends Touch {
  readonly ns: string;
}

/** Where a refusal happened. */
interface Refused {
  /** The name of the endpoint. */
  readonly endpoint: string;
  readonly clientAddress: string | undefined;
}

/** Hears of everybody who is refused. Neither may throw, nor keep who asks waiting. */
export interface AccessObserver {
  /** A known caller asked for what they may not do, whether they were told so or that there is no such thing. */
  denied(what: Refused & Denial & { readonly caller: Caller }): void;
  /** @param what.isFaulty whether credentials came that are not accepted; else none came. */
  signInFailed(what: Refused & { readonly isFaulty: boolean }): void;
}

/** By the refusals that they led to, which look like those of things that do not exist. */
const denials = new WeakMap<object, Denial>();

/** Remembers what a refusal is about. */
export function markDenial(refusal: SkerryError, denial: Denial): SkerryError {
  denials.set(refusal, denial);
  return refusal;
}

/** What a refusal is about that `authorize` threw; undefined for all other errors. */
export function denialOf(error: unknown): Denial | undefined {
  return typeof error === 'object' && error !== null ? denials.get(error) : undefined;
}
