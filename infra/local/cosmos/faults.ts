import { badRequest, CosmosError, SUB_STATUS } from './cosmos-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';

export type FaultAction =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfterMs?: number }
  /** The connection ends before anything was done. */
  | { readonly kind: 'drop-before' }
  /** The connection ends after the commit, before the answer. */
  | { readonly kind: 'drop-after' }
  | { readonly kind: 'delay'; readonly ms: number };

interface FaultRule {
  readonly definition: JsonObject;
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly operation: string | undefined;
  readonly probability: number;
  readonly count: number;
  readonly action: FaultAction;
  readonly random: () => number;
  fired: number;
}

type Subject = { readonly method: string; readonly path: string; readonly operation: string };

const STATUSES = [408, 410, 429, 449, 503];
const DEFAULT_RETRY_AFTER_MS = 100;

/** Rules that make requests fail on purpose; the first rule that matches and fires decides. */
export class Faults {
  #rules: FaultRule[] = [];

  /** @throws CosmosError 400 when a rule cannot be understood; the rules that stood before stay */
  replace(body: JsonValue): void {
    if (!isJsonObject(body) || !Array.isArray(body.rules))
      throw badRequest('Faults are given as {"rules": [...]}.');
    this.#rules = body.rules.map(readRule);
  }

  clear(): void {
    this.#rules = [];
  }

  describe(): JsonObject {
    return { rules: this.#rules.map(({ definition, fired }) => ({ ...definition, fired })) };
  }

  actionFor(subject: Subject): FaultAction | undefined {
    const rule = this.#rules.find(
      (candidate) => matches(candidate, subject) && candidate.random() < candidate.probability,
    );
    if (rule === undefined) return undefined;
    rule.fired += 1;
    return rule.action;
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

function matches(rule: FaultRule, { method, path, operation }: Subject): boolean {
  return (
    rule.fired < rule.count &&
    (rule.method === undefined || rule.method === method) &&
    (rule.path === undefined || path.includes(rule.path)) &&
    (rule.operation === undefined || rule.operation === operation)
  );
}

function readRule(given: JsonValue): FaultRule {
  if (!isJsonObject(given)) throw badRequest('A fault rule must be an object.');
  const match = given.match ?? {};
  if (!isJsonObject(match)) throw badRequest("A fault rule's match must be an object.");
  return {
    definition: given,
    method: optionalText(match.method)?.toUpperCase(),
    path: optionalText(match.path),
    operation: optionalText(match.operation),
    probability: optionalNumber(given.probability, 1),
    count: optionalNumber(given.count, Number.POSITIVE_INFINITY),
    action: readAction(given.action),
    random: seededRandom(optionalNumber(given.seed, 1)),
    fired: 0,
  };
}

function readAction(given: JsonValue | undefined): FaultAction {
  if (!isJsonObject(given)) throw badRequest("A fault rule's action must be an object.");
  const { kind } = given;
  if (kind === 'drop-before' || kind === 'drop-after') return { kind };
  if (kind === 'delay') return { kind, ms: optionalNumber(given.ms, 0) };
  const status = Number(given.status);
  if (kind !== 'status' || !STATUSES.includes(status)) {
    throw badRequest(
      `A fault is one of drop-before, drop-after, delay, or status with ${STATUSES.join(', ')}.`,
    );
  }
  return {
    kind,
    status,
    ...(typeof given.retryAfterMs === 'number' ? { retryAfterMs: given.retryAfterMs } : {}),
  };
}

function optionalText(value: JsonValue | undefined): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw badRequest('A fault rule matches by texts.');
}

function optionalNumber(value: JsonValue | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (typeof value === 'number' && value >= 0) return value;
  throw badRequest("A fault rule's numbers must not be negative.");
}

/** Mulberry32: the same seed gives the same faults. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
