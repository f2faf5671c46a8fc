import { type Clock, toTimestamp } from '../../platform/clock.ts';
import { isUnavailable } from '../../platform/errors.ts';
import { RecentMap } from '../../platform/recent-map.ts';
import type { Subscription } from '../subscription/subscription.ts';
import { CallLimit } from './call-limit.ts';
import {
  afterFailure,
  afterSuccess,
  closedUntil,
  DEFAULT_PATIENCE,
  duringProbe,
  type EndpointPatience,
  isHalfOpen,
  judge,
  withoutReport,
  withReport,
} from './endpoint-health.ts';
import { type CallSlot, EndpointState } from './endpoint-state.ts';
import type { EndpointStorage } from './endpoint-storage.ts';
import type { FailingEndpoints } from './failing-endpoints.ts';
import { SlowCalls } from './slow-calls.ts';
import type { WebhookResult } from './webhook-client.ts';

export interface EndpointGateOptions {
  readonly storage: EndpointStorage;
  readonly failing: FailingEndpoints;
  readonly clock: Clock;
  /** After this a call is over, whatever became of it. */
  readonly timeoutMilliseconds: number;
  readonly patience?: EndpointPatience | undefined;
}

/** One call of an endpoint that is to be made. */
export interface EndpointCall {
  readonly ns: string;
  readonly subscription: Subscription;
  /** The time that the allowed rate has set apart for this call, in milliseconds since the Unix epoch, if one was answered before. */
  readonly slotAt?: number | undefined;
}

/** A call that was made. */
export interface CalledEndpoint {
  readonly kind: 'called';
  readonly result: WebhookResult;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly durationMs: number;
}

/** The endpoint is not to be called now, and was not. */
export interface WaitForEndpoint {
  readonly kind: 'wait';
  /** Milliseconds since the Unix epoch. */
  readonly until: number;
  /** Whether nobody else was told to come at that time. */
  readonly isOwn?: true;
  /** Set apart for this very call, which brings it along when it comes again. */
  readonly slotAt?: number;
}

export type GateAnswer = CalledEndpoint | WaitForEndpoint;

const GONE = 410;
/** Answers whose `Retry-After` is obeyed. */
const PAUSE_STATUSES: ReadonlySet<number> = new Set([429, 503]);
/** Endpoints whose state a process keeps in mind. */
const MAX_ENDPOINTS = 5_000;
/** For a slot that is nearer than this, a call waits here rather than on the way over the bus. */
const SHORT_WAIT_MILLISECONDS = 200;
/** A call that comes later than this after its slot gets another one: what was held up together would be a burst. */
const SLOT_GRACE_MILLISECONDS = 5_000;
/** When to ask again where too many calls run. */
const BUSY_MILLISECONDS = 1_000;
/** What a call may take beyond its own timeout until its outcome is written. */
const PROBE_MARGIN_MILLISECONDS = 5_000;

/** An endpoint as one process sees it. */
interface Lane {
  readonly state: EndpointState;
  readonly limit: CallLimit;
}

/**
 * The one way to endpoints: lets a call through, or says when to come again. So one that is dead or slow costs the others
 * nothing. It keeps
 *
 * - a circuit breaker, and what the endpoint asked for by `Retry-After`, for all processes;
 * - the rate that the endpoint allows, over all processes;
 * - limits of calls at a time, in this process;
 * - and an eye on endpoints that do nothing but fail, or say that they are gone, which it disables.
 *
 * Killed after a call, its outcome is not counted; the message of whoever called comes again, and so does the endpoint's answer.
 */
export class EndpointGate {
  readonly #options: EndpointGateOptions;
  readonly #patience: EndpointPatience;
  readonly #slowCalls = new SlowCalls();
  readonly #lanes = new RecentMap<string, Lane>(MAX_ENDPOINTS);

  constructor(options: EndpointGateOptions) {
    this.#options = options;
    this.#patience = options.patience ?? DEFAULT_PATIENCE;
  }

  /**
   * @param post makes the call; what goes wrong with it is a result.
   * @throws SkerryError `unavailable` when nothing was called, because the database does not answer; and what `post` throws.
   */
  async call(call: EndpointCall, post: () => Promise<WebhookResult>): Promise<GateAnswer> {
    const { clock } = this.#options;
    const { ns, subscription, slotAt } = call;
    const lane = this.#laneOf(ns, subscription.id);
    const closed = await this.#closedUntil(lane, subscription);
    if (closed !== undefined) {
      return { kind: 'wait', until: closed };
    }
    const slot = await this.#slotFor(lane, subscription, slotAt);
    const own = slot?.isReserved ? ({ isOwn: true, slotAt: slot.at } as const) : {};
    if (slot !== undefined && (!slot.isReserved || slot.at - clock.now() > SHORT_WAIT_MILLISECONDS)) {
      return { kind: 'wait', until: slot.at, ...own };
    }
    await clock.sleep(Math.max(0, (slot?.at ?? 0) - clock.now()));
    const leave = await lane.limit.enter();
    if (leave === undefined) {
      const { at, isOwn } = lane.limit.nextTurn();
      return { kind: 'wait', until: at, ...(isOwn && { isOwn }), ...own };
    }
    try {
      return await this.#callAdmitted(call, lane, post);
    } finally {
      leave();
    }
  }

  async #callAdmitted(
    call: EndpointCall,
    lane: Lane,
    post: () => Promise<WebhookResult>,
  ): Promise<GateAnswer> {
    const { clock } = this.#options;
    const { subscription } = call;
    const health = await lane.state.read(subscription);
    const closed = closedUntil(health, clock.now());
    if (closed !== undefined) {
      return { kind: 'wait', until: closed };
    }
    const isProbe = isHalfOpen(health, clock.now());
    if (isProbe && !(await this.#elect(lane, subscription))) {
      const until = (await this.#closedUntil(lane, subscription)) ?? clock.now() + BUSY_MILLISECONDS;
      return { kind: 'wait', until };
    }
    const startedAt = clock.now();
    const result = await post();
    const durationMs = clock.now() - startedAt;
    await this.#note(call, lane, result, isProbe);
    return { kind: 'called', result, startedAt, durationMs };
  }

  /** Undefined where the endpoint sets no limit. */
  async #slotFor(
    { state }: Lane,
    subscription: Subscription,
    slotAt: number | undefined,
  ): Promise<CallSlot | undefined> {
    const ratePerMinute = subscription.consent?.ratePerMinute;
    if (ratePerMinute === undefined) {
      return undefined;
    }
    return slotAt !== undefined && slotAt + SLOT_GRACE_MILLISECONDS >= this.#options.clock.now()
      ? { at: slotAt, isReserved: true }
      : await state.takeSlot(subscription, ratePerMinute);
  }

  async #closedUntil({ state }: Lane, subscription: Subscription): Promise<number | undefined> {
    return closedUntil(await state.read(subscription), this.#options.clock.now());
  }

  /** Whether this call, of all that would be made by any process, is the one that tries. */
  async #elect({ state }: Lane, subscription: Subscription): Promise<boolean> {
    const { clock, timeoutMilliseconds } = this.#options;
    let isElected = false;
    const written = await state.change(subscription, (health) => {
      isElected = isHalfOpen(health, clock.now());
      return isElected
        ? duringProbe(health, clock.now(), timeoutMilliseconds + PROBE_MARGIN_MILLISECONDS)
        : health;
    });
    return isElected && written !== undefined;
  }

  /** Without the database the outcome is not counted: more than this one call does not depend on it. */
  async #note(call: EndpointCall, { state }: Lane, result: WebhookResult, isProbe: boolean): Promise<void> {
    try {
      await (result.error === undefined
        ? this.#noteSuccess(call, state)
        : this.#noteFailure(call, state, result, isProbe));
    } catch (error) {
      if (!isUnavailable(error)) {
        throw error;
      }
    }
  }

  async #noteSuccess({ ns, subscription }: EndpointCall, state: EndpointState): Promise<void> {
    const health = await state.change(subscription, afterSuccess);
    if (health?.isReported) {
      await this.#options.failing.recover(ns, subscription);
      await state.change(subscription, withoutReport);
    }
  }

  /** Says in the health that there may be a record before there is one, so that the next success looks for it. */
  async #noteFailure(
    { ns, subscription }: EndpointCall,
    state: EndpointState,
    { status, retryAfterMilliseconds }: WebhookResult,
    isProbe: boolean,
  ): Promise<void> {
    const { clock, failing } = this.#options;
    if (status === GONE) {
      await state.change(subscription, withReport);
      return await failing.disable(ns, subscription, 'The endpoint answered 410 Gone.');
    }
    const now = clock.now();
    const asksForPause = status !== undefined && PAUSE_STATUSES.has(status);
    const health = await state.change(subscription, (known) => {
      const pause = asksForPause ? retryAfterMilliseconds : undefined;
      const failed = afterFailure(known, { now, isProbe, retryAfterMilliseconds: pause });
      return judge(failed, now, this.#patience) === undefined ? failed : withReport(failed);
    });
    const { failingSince: since } = health ?? {};
    if (health === undefined || since === undefined) {
      return;
    }
    const verdict = judge(health, now, this.#patience);
    if (verdict === 'warn') {
      await failing.warn(ns, subscription, since, since + this.#patience.disableAfterMilliseconds);
    } else if (verdict === 'disable') {
      const reason = `No call has succeeded since ${toTimestamp(since)}.`;
      await failing.disable(ns, subscription, reason, since);
    }
  }

  #laneOf(ns: string, subscription: string): Lane {
    const { storage, clock } = this.#options;
    const known = this.#lanes.get(subscription);
    if (known !== undefined) {
      return known;
    }
    const lane = {
      state: new EndpointState(subscription, storage, clock),
      limit: new CallLimit(clock, this.#slowCalls, ns),
    };
    this.#lanes.set(subscription, lane);
    return lane;
  }
}
