import { type FaultGrammar, FaultRules } from '../faults/fault-rules.ts';
import { badRequest, CosmosError, SUB_STATUS } from './cosmos-error.ts';

export type FaultAction =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterMs?: number }
  /** The connection ends before anything was done. */
  | { readonly kind: 'drop-before' }
  /** The connection ends after the commit, before the answer. */
  | { readonly kind: 'drop-after' }
  | { readonly kind: 'delay'; readonly ms: number };

export interface FaultSubject {
  readonly method: string;
  readonly path: string;
  readonly operation: string;
}

const STATUSES = [408, 410, 429, 449, 503];
const DEFAULT_RETRY_AFTER_MS = 100;

const GRAMMAR: FaultGrammar<FaultSubject, FaultAction> = {
  matchers: {
    method: ({ method }, wanted) => method === wanted.toUpperCase(),
    path: ({ path }, wanted) => path.includes(wanted),
    operation: ({ operation }, wanted) => operation === wanted,
  },
  readAction,
  refuse: badRequest,
};

/** Faults that tests inject; a rule that cannot be understood is a CosmosError 400. */
export class Faults extends FaultRules<FaultSubject, FaultAction> {
  constructor() {
    super(GRAMMAR);
  }
}

/** The error that an action of kind `status` answers with. */
export function faultError({ status, retryAfterMs }: Extract<FaultAction, { kind: 'status' }>): CosmosError {
  const message = 'This failure was injected.';
  if (status === 429) {
    return new CosmosError(429, message, SUB_STATUS.throttled, retryAfterMs ?? DEFAULT_RETRY_AFTER_MS);
  }
  const subStatus = status === 410 ? SUB_STATUS.partitionKeyRangeGone : SUB_STATUS.none;
  return new CosmosError(status, message, subStatus, retryAfterMs);
}

function readAction({ kind, ms = 0, status, retryAfterMs }: Readonly<Record<string, unknown>>): FaultAction {
  if (kind === 'drop-before' || kind === 'drop-after') return { kind };
  if (kind === 'delay') {
    if (typeof ms !== 'number' || ms < 0) throw badRequest("A fault rule's numbers must not be negative.");
    return { kind, ms };
  }
  if (kind !== 'status' || !STATUSES.includes(Number(status))) {
    throw badRequest(
      `A fault is one of drop-before, drop-after, delay, or status with ${STATUSES.join(', ')}.`,
    );
  }
  return { kind, status: Number(status), ...(typeof retryAfterMs === 'number' && { retryAfterMs }) };
}
