import { z } from 'zod';
import { isPublic } from '../../keyspace/index.ts';
import type { Alerts } from '../../platform/alerts.ts';
import { parseScopeId, type Scope } from '../../records/index.ts';
import { subscriptionId, subscriptionScope } from '../subscription/subscription.ts';
import type { Announcement } from '../subscription/watched-key.ts';

/** The changes of one scope that a batch of the feed announces. */
export interface AnnouncedScope {
  readonly scope: Scope;
  readonly announcements: readonly Announcement[];
}

/** The change that removed a subscription, or with which it ended by itself. */
export interface RemovedSubscription extends Announcement {
  readonly ns: string;
  readonly subscription: string;
}

const announcementSchema = z.object({
  scope: z.string().regex(/^[^:]+:[^:]+:/, 'is not a scope id of the form namespace:kind:name'),
  revision: z.int().positive(),
  key: z.string().startsWith('/'),
  at: z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'is not a time'),
});

const removalSchema = announcementSchema.extend({
  type: z.literal('change'),
  change: z.enum(['delete', 'expire']),
});

/**
 * Which changes the documents of a batch announce that anyone may be told of. Nothing else is taken from the documents, because
 * the host rewrites what looks like a time in them.
 */
export function announcedScopes(documents: readonly unknown[], alerts: Alerts): readonly AnnouncedScope[] {
  const scopes = new Map<string, { scope: Scope; announcements: Announcement[] }>();
  for (const document of documents) {
    if (!isChange(document)) {
      continue;
    }
    const { data, error } = announcementSchema.safeParse(document);
    if (data === undefined) {
      alerts.error(`A change is malformed, and nobody is told of it: ${describeFault(document, error)}`);
      continue;
    }
    const known = scopes.get(data.scope);
    if (known !== undefined) {
      known.announcements.push(data);
      continue;
    }
    const scope = parseScopeId(data.scope);
    if (isPublic(scope)) {
      scopes.set(data.scope, { scope, announcements: [data] });
    }
  }
  return [...scopes.values()];
}

/** Which subscriptions were removed, as the documents of a batch announce it. */
export function removedSubscriptions(documents: readonly unknown[]): readonly RemovedSubscription[] {
  return documents.flatMap((document) => {
    const { data } = removalSchema.safeParse(document);
    if (data === undefined) {
      return [];
    }
    const { ns, kind } = parseScopeId(data.scope);
    const isOfSubscription = kind === subscriptionScope(ns).kind;
    return isOfSubscription ? [{ ...data, ns, subscription: subscriptionId(data.key) }] : [];
  });
}

function isChange(document: unknown): document is { readonly id?: unknown } {
  return (
    typeof document === 'object' && document !== null && 'type' in document && document.type === 'change'
  );
}

/** Without the document itself, whose values may be secret. */
function describeFault(document: { readonly id?: unknown }, error: z.ZodError): string {
  const faults = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  return `id ${JSON.stringify(document.id)}, ${faults.join('; ')}`;
}
