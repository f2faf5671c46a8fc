import type { ServiceBusMessage } from '@azure/service-bus';
import { parseScopeId } from '../records/index.ts';
import { type CloudEvent, cloudEvent, hashId, type ToldChange } from '../webhooks/index.ts';

/** Characters; "Service Bus quotas". */
const MAX_ID_CHARACTERS = 128;

/**
 * A change as a structured CloudEvent for the topic, with properties that filters of subscriptions can use (docs/bus.md). Sent twice it
 * has the same id, by which the bus recognises it.
 *
 * @param withValues false leaves out what was before and after, which the event then refers to.
 * @param publicUrl the setting `SKERRY_PUBLIC_URL`.
 */
export function notificationMessage(
  told: ToldChange,
  { withValues, publicUrl }: { readonly withValues: boolean; readonly publicUrl: string | undefined },
): ServiceBusMessage {
  const { scope, change } = told;
  const { ns, kind, name } = parseScopeId(scope);
  const event = cloudEvent(told, publicUrl);
  return {
    body: withValues ? event : withoutValues(event, historyUrl(ns, change.key, publicUrl)),
    contentType: 'application/cloudevents+json',
    messageId: shortId(`${scope}@${change.revision}`),
    sessionId: shortId(scope),
    subject: change.key,
    applicationProperties: {
      ns,
      kind,
      name,
      key: change.key,
      type: event.type,
      change: change.type,
      revision: change.revision,
      actor: change.actor,
    },
  };
}

/** Refers to the values instead of carrying them. The extension "Dataref" is none for it: that would lead to the same data. */
function withoutValues({ data, ...attributes }: CloudEvent<object>, historyref: string) {
  const { before: _, after: __, ...known } = data as Record<string, unknown>;
  return { ...attributes, historyref, data: known };
}

function historyUrl(ns: string, key: string, publicUrl = ''): string {
  const path = key.split('/').map(encodeURIComponent).join('/');
  return `${publicUrl.replace(/\/+$/, '')}/api/v1/history${path}?ns=${encodeURIComponent(ns)}`;
}

/** The bus takes no longer ids than this. */
export function shortId(text: string): string {
  return text.length <= MAX_ID_CHARACTERS ? text : hashId(text);
}
