import { toTimestamp } from '../../platform/clock.ts';
import { RecentMap } from '../../platform/recent-map.ts';
import type { Sealer } from '../../platform/sealer.ts';
import { USER_AGENT } from '../../platform/user-agent.ts';
import { type Change, type Json, parseScopeId, scopeId } from '../../records/index.ts';
import { headersPlace } from '../subscription/own-headers.ts';
import { isInUse, signingKeyPlace } from '../subscription/signing-keys.ts';
import { type Subscription, subscriptionKey, subscriptionScope } from '../subscription/subscription.ts';
import type { ChangeData } from './change-data.ts';
import { attributeHeaders, type CloudEvent, cloudEvent, eventSource } from './cloud-event.ts';
import { sign } from './signature.ts';
import { type StandardEvent, standardEvent } from './standard-event.ts';
import type { WebhookRequest } from './webhook-request.ts';

export interface RequestWriterOptions {
  readonly sealer: Sealer;
  /** The setting `SKERRY_PUBLIC_URL`. */
  readonly publicUrl: string | undefined;
}

interface Addressed {
  readonly subscription: Subscription;
  /** Id of the delivery: the receiver's means to recognise a repetition. */
  readonly delivery: string;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** One attempt to tell an endpoint of a change. */
export interface Notification extends Addressed {
  /** Partition key of the change's scope. */
  readonly scope: string;
  readonly change: Change<Json>;
}

/** An attempt to tell an endpoint of nothing, so that someone sees whether it would hear. */
export interface TestNotification extends Addressed {
  readonly ns: string;
}

interface Content {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** Opening is asked for with every attempt; more subscriptions than this take turns. */
const OPENED_LIMIT = 1_000;

/**
 * Writes the requests that endpoints are sent. They differ from one attempt to the next in time and signature alone.
 *
 * All methods throw SkerryError `unavailable` when a secret cannot be opened for want of its key.
 */
export class RequestWriter {
  readonly #sealer: Sealer;
  readonly #publicUrl: string | undefined;
  readonly #opened = new RecentMap<string, string>(OPENED_LIMIT);

  constructor({ sealer, publicUrl }: RequestWriterOptions) {
    this.#sealer = sealer;
    this.#publicUrl = publicUrl;
  }

  write({ scope, change, ...addressed }: Notification): WebhookRequest {
    const { subscription } = addressed;
    const { format, id, fields } = subscription;
    const told = { scope, change, subscription: id, fields };
    const { ns } = parseScopeId(scope);
    const content =
      format === 'nesoi'
        ? this.#nesoiContent(subscription)
        : format === 'standard'
          ? standardContent(standardEvent(told))
          : cloudEventContent(subscription, cloudEvent(told, this.#publicUrl));
    return this.#request(ns, addressed, content, change.traceparent);
  }

  /** A request like those for changes, of the type `skerry.test` where the format has types. */
  writeTest({ ns, ...addressed }: TestNotification): WebhookRequest {
    return this.#request(ns, addressed, this.#testContent(ns, addressed), undefined);
  }

  #testContent(ns: string, { subscription, delivery, now }: Addressed): Content {
    const type = 'skerry.test';
    const time = toTimestamp(now);
    const data = testData(ns, subscription);
    switch (subscription.format) {
      case 'nesoi':
        return this.#nesoiContent(subscription);
      case 'standard':
        return standardContent({ type, timestamp: time, data });
      case 'cloudevents':
        return cloudEventContent(subscription, {
          specversion: '1.0',
          id: delivery,
          source: eventSource([ns, 'hook'], this.#publicUrl),
          type,
          subject: data.key,
          time,
          datacontenttype: 'application/json',
          data,
        });
    }
  }

  /** Names the resource that the hook is on, not the host that changed below it (Nesoi README, section Webhooks). */
  #nesoiContent({ name, key, baseUrl }: Subscription): Content {
    const base = (this.#publicUrl ?? baseUrl ?? '').replace(/\/+$/, '');
    return { headers: JSON_TYPE, body: JSON.stringify({ name, uri: base + key }) };
  }

  #request(
    ns: string,
    { subscription, delivery, now }: Addressed,
    { headers, body }: Content,
    traceparent: string | undefined,
  ): WebhookRequest {
    const { consent, endpoint } = subscription;
    const ownHeaders = this.#ownHeaders(ns, subscription);
    const timestamp = Math.floor(now / 1000);
    const signatures = this.#secrets(ns, subscription, now).map(({ version, secret }) =>
      sign(version, secret, delivery, timestamp, body),
    );
    return {
      endpoint,
      headers: {
        ...ownHeaders,
        ...headers,
        'user-agent': USER_AGENT,
        'webhook-id': delivery,
        'webhook-timestamp': String(timestamp),
        ...(signatures.length > 0 && { 'webhook-signature': signatures.join(' ') }),
        ...(traceparent !== undefined && { traceparent }),
        ...(consent?.grantedAt !== undefined && { 'webhook-request-origin': consent.origin }),
      },
      body,
      secrets: Object.values(ownHeaders),
    };
  }

  #secrets(ns: string, { id, signing = [] }: Subscription, now: number) {
    return signing
      .filter((key) => isInUse(key, now))
      .map((key) => ({
        version: key.version,
        secret: this.#open(key.sealed, signingKeyPlace(ns, id, key.id)),
      }));
  }

  #ownHeaders(ns: string, { id, headers }: Subscription): Record<string, string> {
    return headers === undefined ? {} : JSON.parse(this.#open(headers.sealed, headersPlace(ns, id)));
  }

  #open(sealed: string, place: readonly string[]): string {
    const known = JSON.stringify([sealed, ...place]);
    const opened = this.#opened.get(known) ?? this.#sealer.open(sealed, place);
    this.#opened.set(known, opened);
    return opened;
  }
}

/** As of a change of the subscription itself, so that receivers need not know of a shape that only tests have. */
function testData(ns: string, { id, revision }: Subscription): ChangeData {
  return {
    subscription: id,
    ns,
    scope: scopeId(subscriptionScope(ns)),
    key: subscriptionKey(id),
    revision,
    type: 'test',
    actor: 'system:webhooks',
    before: null,
    after: null,
  };
}

function standardContent(event: StandardEvent<unknown>): Content {
  return { headers: JSON_TYPE, body: JSON.stringify(event) };
}

function cloudEventContent({ mode }: Subscription, event: CloudEvent<unknown>): Content {
  return mode === 'binary'
    ? { headers: { ...JSON_TYPE, ...attributeHeaders(event) }, body: JSON.stringify(event.data) }
    : { headers: { 'content-type': 'application/cloudevents+json' }, body: JSON.stringify(event) };
}
