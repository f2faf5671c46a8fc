import { createHmac, createPublicKey, verify } from 'node:crypto';
import { expect } from 'vitest';
import { type Change, type Json, parseScopeId } from '../../../../shared/records/index.ts';
import type { Delivery, SigningKey, SubscriptionValue } from '../../../../shared/webhooks/index.ts';
import { WATCHED } from './crash-plans.ts';
import type { CrashWorld, Post } from './crash-world.ts';
import { CLOCK_SKEW_MILLISECONDS, type CrashingProcess, RETRY_SECONDS, SEALER } from './crashing-process.ts';

/** By how much the times of two events may differ from their order. */
const MARGIN = 2 * CLOCK_SKEW_MILLISECONDS;
/** From when a subscription is read until a request is signed. */
const SIGNING_MARGIN = 60_000;
const NEVER = '9999-12-31T00:00:00Z';

export interface LoggedChange {
  /** `SCOPE@REVISION`. */
  readonly name: string;
  readonly scope: string;
  readonly at: number;
  readonly change: Change<Json>;
}

/** A subscription while it stood like this. */
interface Version {
  readonly from: number;
  readonly to: number;
  /** Absent once it was deleted. */
  readonly value: SubscriptionValue | undefined;
}

/** All that the logs know in the end, and what must have come of it. */
export interface Truth {
  readonly ns: string;
  readonly changes: readonly LoggedChange[];
  readonly histories: ReadonlyMap<string, readonly Version[]>;
}

export async function readTruth({ records }: CrashingProcess, ns: string): Promise<Truth> {
  const changes: LoggedChange[] = [];
  for (const scope of [`${ns}:kv:one`, `${ns}:kv:two`, `${ns}:app:`, `${ns}:endpoint:`]) {
    for (const change of await readLog<Json>(records, scope)) {
      const at = Date.parse(change.at);
      changes.push({ name: `${scope}@${change.revision}`, scope, at, change });
    }
  }
  const log = await readLog<SubscriptionValue>(records, `${ns}:hook:`);
  const histories = new Map<string, Version[]>();
  for (const [key, ofOne] of Map.groupBy(log, (change) => change.key)) {
    const versions = ofOne.map((change, nth) => ({
      from: Date.parse(change.at),
      to: Date.parse(ofOne[nth + 1]?.at ?? NEVER),
      value: change.value,
    }));
    histories.set(key.slice('/hook/'.length), versions);
  }
  return { ns, changes, histories };
}

async function readLog<Value>(
  records: CrashingProcess['records'],
  id: string,
): Promise<readonly Change<Value>[]> {
  const scope = parseScopeId(id);
  return await records.changes<Value>(scope, { above: 0, upTo: await records.position(scope) });
}

/** Whether a subscription is owed a change: however it stood since, it was to be told of it. */
export function isOwed(versions: readonly Version[], logged: LoggedChange): boolean {
  const [first] = versions;
  const since = versions.filter(({ to }) => to > logged.at - MARGIN);
  return (
    first !== undefined &&
    logged.at > first.from + MARGIN &&
    since.every(({ value }) => value !== undefined && hears(value, logged, MARGIN))
  );
}

/** Whether a subscription may be told of a change: at some time it was to be. */
function isAllowed(versions: readonly Version[], logged: LoggedChange, isRecovered: boolean): boolean {
  return versions.some(
    ({ value, to }) =>
      value !== undefined &&
      to > logged.at - MARGIN &&
      (isRecovered ? matches(value, logged) : hears(value, logged, -MARGIN)),
  );
}

/** @param by how much later than its beginning a change must at least be. */
function hears(value: SubscriptionValue, logged: LoggedChange, by: number): boolean {
  const { since } = value;
  const isYounger =
    'scope' in since
      ? since.scope === logged.scope && since.revision < logged.change.revision
      : logged.at >= Date.parse(since.at) + by;
  return isYounger && matches(value, logged);
}

function matches({ key, types, changed }: SubscriptionValue, { change }: LoggedChange): boolean {
  const watched = WATCHED.find((known) => known.key === key);
  return (
    watched?.covers.test(change.key) === true &&
    (types === undefined || types.includes(change.type)) &&
    (changed === undefined || memberOf(change.previous?.value) !== memberOf(change.value))
  );
}

/** The one that `changed` names in all plans. */
function memberOf(value: Json | undefined): unknown {
  return typeof value === 'object' && value !== null && 'n' in value ? value.n : undefined;
}

/** What is to become of every change that a subscription is owed. */
export type End = 'delivered' | 'dead or delivered';

/** What is wrong as long as anything is to be told yet. */
export async function findUnsettled(world: CrashWorld, truth: Truth, end: End): Promise<string[]> {
  const faults: string[] = [];
  for (const { name } of truth.changes) {
    if (!world.published.has(name)) {
      faults.push(`${name} was not published`);
    }
  }
  for (const [id, versions] of truth.histories) {
    const deliveries = await readDeliveries(world, id);
    const isGone = versions.at(-1)?.value === undefined;
    for (const { scope } of isGone ? await world.observer.cursors.list(id) : []) {
      faults.push(`${id} is gone, and its cursor of ${scope} is not`);
    }
    for (const { scope, revision, state, reason } of deliveries.values()) {
      if (state === 'pending' || state === 'held') {
        faults.push(`${scope}@${revision} to ${id} is ${state} ${reason ?? ''}`);
      }
    }
    for (const logged of truth.changes) {
      const state = deliveries.get(logged.name)?.state;
      if (isOwed(versions, logged) && (state === undefined || (state === 'dead' && end === 'delivered'))) {
        faults.push(`${logged.name} to ${id} is ${state ?? 'forgotten'}`);
      }
    }
  }
  return faults;
}

/** By `SCOPE@REVISION`. */
async function readDeliveries({ observer }: CrashWorld, id: string): Promise<Map<string, Delivery>> {
  const { deliveries } = await observer.storage.list(id, { limit: 1_000 });
  return new Map(deliveries.map((delivery) => [`${delivery.scope}@${delivery.revision}`, delivery]));
}

/** Holds all that was posted, and all that stands of deliveries in the end, against the logs. */
export async function judge(world: CrashWorld, truth: Truth, recovered: ReadonlySet<string>): Promise<void> {
  const byName = new Map(truth.changes.map((logged) => [logged.name, logged]));
  for (const post of world.posts) {
    const logged = byName.get(nameOf(post));
    const versions = truth.histories.get(post.subscription) ?? [];
    const isRight = logged !== undefined && isAllowed(versions, logged, recovered.has(post.subscription));
    expect(isRight, `${nameOf(post)} was to be told to ${post.subscription}`).toBe(true);
  }
  for (const [id, versions] of truth.histories) {
    const posts = Map.groupBy(
      world.posts.filter((post) => post.subscription === id),
      nameOf,
    );
    for (const [name, delivery] of await readDeliveries(world, id)) {
      const ofOne = posts.get(name) ?? [];
      expect(ofOne.map(webhookId), `webhook-id of ${name} to ${id}`).toEqual(ofOne.map(() => delivery.id));
      judgeEnd(delivery, ofOne, versions, byName.get(name));
    }
    judgeSignatures(truth.ns, id, versions, [...posts.values()].flat());
  }
}

/** A delivery is delivered by a call that succeeded, or dead for a reason that holds. */
function judgeEnd(
  delivery: Delivery,
  posts: readonly Post[],
  versions: readonly Version[],
  logged: LoggedChange | undefined,
): void {
  const { state, reason = '', attempts, earlierAttempts = 0 } = delivery;
  const what = `${delivery.scope}@${delivery.revision} to ${delivery.subscription}: ${JSON.stringify(delivery)}`;
  const had = (wanted: (value: SubscriptionValue | undefined) => boolean) =>
    versions.some(({ value }) => wanted(value));
  if (state === 'delivered') {
    expect(posts.some(isSuccess), what).toBe(true);
    return;
  }
  expect(state, what).toBe('dead');
  if (reason.startsWith('The last attempt failed')) {
    expect(attempts.length - earlierAttempts, what).toBe(RETRY_SECONDS.length + 1);
  } else if (reason.startsWith('The endpoint answered 410')) {
    expect(
      posts.some(({ result }) => result?.status === 410),
      what,
    ).toBe(true);
  } else if (reason.startsWith('The subscription is disabled')) {
    expect(
      had((value) => value?.state === 'disabled'),
      what,
    ).toBe(true);
  } else if (reason.startsWith('The subscription was deleted')) {
    expect(
      had((value) => value === undefined),
      what,
    ).toBe(true);
  } else {
    expect(reason, what).toMatch(/^The subscription (began after|hears of) the change/);
    expect(logged !== undefined && isOwed(versions, logged), what).toBe(false);
  }
}

/** Holds the calls of ordered subscriptions against the order of the logs, as far as nobody asked for what was before. */
export function judgeOrder({ posts }: CrashWorld, truth: Truth, recovered: ReadonlySet<string>): void {
  for (const [id, versions] of truth.histories) {
    const isOrdered = versions.every(({ value }) => value === undefined || value.ordered === true);
    if (!isOrdered || recovered.has(id)) {
      continue;
    }
    const wasDisabled = versions.some(({ value }) => value?.state === 'disabled');
    for (const [scope, calls] of Map.groupBy(
      posts.filter(({ subscription }) => subscription === id),
      (post) => post.scope,
    )) {
      const owed = truth.changes.filter((logged) => logged.scope === scope && isOwed(versions, logged));
      for (const [nth, { revision }] of calls.entries()) {
        const earlier = calls.slice(0, nth);
        if (earlier.some((call) => call.revision === revision)) {
          continue;
        }
        for (const { change } of owed.filter((logged) => logged.change.revision < revision)) {
          const ofOne = earlier.filter((call) => call.revision === change.revision);
          const isDone = ofOne.some(isSuccess) || ofOne.length > RETRY_SECONDS.length;
          const what = `${change.revision} of ${scope} is done with before ${revision} is told to ${id}`;
          expect(isDone || wasDisabled, what).toBe(true);
        }
      }
    }
  }
}

function isSuccess({ result }: Post): boolean {
  return result !== undefined && result.error === undefined;
}

/** Every signature is by a key that was the subscription's then, and its newest key is among them. */
function judgeSignatures(ns: string, id: string, versions: readonly Version[], posts: readonly Post[]): void {
  for (const { at, request } of posts) {
    const { 'webhook-id': webhookId, 'webhook-timestamp': timestamp } = request.headers;
    const content = `${webhookId}.${timestamp}.${request.body}`;
    const ofThen = versions.filter(({ from, to }) => from <= at + MARGIN && to > at - SIGNING_MARGIN);
    const keys = ofThen.flatMap(({ value }) => value?.signing ?? []);
    const signers = (request.headers['webhook-signature'] ?? '')
      .split(' ')
      .map((signature) => keys.findLast((key) => isBy(signature, key, content, [ns, id, key.id])));
    const what = `signature of ${webhookId} to ${id} at ${at}`;
    for (const signer of signers) {
      expect(signer, what).toBeDefined();
      const { expiresAt = NEVER } = signer ?? {};
      expect(Date.parse(expiresAt), what).toBeGreaterThan(at - SIGNING_MARGIN);
    }
    const isByNewest = ofThen.some(({ value }) =>
      signers.some((signer) => signer?.id === value?.signing?.[0]?.id),
    );
    expect(isByNewest, what).toBe(true);
  }
}

function isBy(signature: string, key: SigningKey, content: string, place: readonly string[]): boolean {
  const [version, encoded = ''] = signature.split(',');
  if (version !== key.version) {
    return false;
  }
  if (version === 'v1') {
    const secret = Buffer.from(SEALER.open(key.sealed, place).slice('whsec_'.length), 'base64');
    return createHmac('sha256', secret).update(content).digest('base64') === encoded;
  }
  const x = Buffer.from((key.publicKey ?? '').slice('whpk_'.length), 'base64').toString('base64url');
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(undefined, Buffer.from(content), publicKey, Buffer.from(encoded, 'base64'));
}

function nameOf({ scope, revision }: Pick<Post, 'scope' | 'revision'>): string {
  return `${scope}@${revision}`;
}

function webhookId({ request }: Post): string | undefined {
  return request.headers['webhook-id'];
}
