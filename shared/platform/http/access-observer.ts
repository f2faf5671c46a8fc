import type { Denial } from './access.ts';
import type { Caller } from './caller.ts';

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
