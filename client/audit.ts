import type { ChangeType } from './history.ts';
import type { Json } from './store/content.ts';
import { pages } from './transport/paged.ts';
import type { CallOptions, Transport } from './transport/transport.ts';

/** Somebody changed something. */
export interface AuditedChange {
  readonly kind: 'change';
  /** RFC 3339. */
  readonly at: string;
  readonly actor: string;
  readonly ns: string;
  /** The log that the revision counts in. */
  readonly scope: string;
  readonly revision: number;
  readonly key: string;
  readonly type: ChangeType;
  /** As it is stored: raw content as `{$text | $bytes, contentType}`. Both absent where the caller may not see them. */
  readonly value?: Json;
  readonly previous?: Json;
  readonly traceparent?: string;
  readonly transaction?: { readonly first: number; readonly last: number };
}

/** Somebody was refused something, once or several times within some seconds, or was shown secrets in clear. */
export interface AuditedAccess {
  /** `unlisted`: further refusals, of more kinds than are told apart at a time. */
  readonly kind: 'denial' | 'sign-in-failure' | 'unlisted' | 'reveal';
  /** Of the last of them. */
  readonly at: string;
  readonly actor?: string;
  readonly address?: string;
  /** The operation id of the API. */
  readonly endpoint?: string;
  readonly verb?: string;
  readonly ns?: string;
  readonly key?: string;
  /** Whether credentials came that were not accepted; else none came. */
  readonly isFaulty?: boolean;
  readonly count: number;
  readonly firstAt: string;
  readonly lastAt: string;
}

export type AuditEntry = AuditedChange | AuditedAccess;

export interface AuditOptions extends CallOptions {
  readonly actor?: string | undefined;
  /** That key and those below it. */
  readonly key?: string | undefined;
  /** RFC 3339: not before, and before. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly kind?: AuditEntry['kind'] | undefined;
  readonly allNamespaces?: boolean | undefined;
  /** Most entries of a page. */
  readonly limit?: number | undefined;
}

export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  readonly next?: string;
}

/** What happened, the oldest first. */
export class Audit {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** One page; it may be short, or empty, and have a `next`. */
  async page({
    signal,
    allNamespaces,
    ...query
  }: AuditOptions & { readonly after?: string | undefined } = {}): Promise<AuditPage> {
    return await this.#transport.json<AuditPage>({
      path: 'audit',
      query: { ...query, ...(allNamespaces === true && { allNamespaces: 'true' }) },
      signal,
    });
  }

  /** All entries. */
  list(options: AuditOptions = {}): AsyncGenerator<AuditEntry, void, undefined> {
    return pages(async (after) => {
      const { entries, next } = await this.page({ ...options, after });
      return { items: entries, ...(next !== undefined && { next }) };
    });
  }
}
