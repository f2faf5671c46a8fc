import { type Content, type Json, readValue } from './store/content.ts';
import { pages } from './transport/paged.ts';
import { keyPath } from './transport/path.ts';
import type { CallOptions, Transport } from './transport/transport.ts';

export type ChangeType = 'put' | 'delete' | 'expire';

/** What one write did to one key. */
export interface Change<Value extends Content = Content> {
  readonly revision: number;
  /** Whole, such as `/kv/agent1/a` or `/app/shop`. */
  readonly key: string;
  readonly type: ChangeType;
  /** Null where nothing is there any more. */
  readonly value: Value | null;
  /** Null where nothing was there before. */
  readonly previous: Value | null;
  /** Who wrote. */
  readonly actor: string;
  /** RFC 3339. */
  readonly at: string;
  /** The revisions of the transaction that this is part of. */
  readonly transaction?: { readonly first: number; readonly last: number };
}

export interface PastChange<Value extends Content = Content> extends Change<Value> {
  /** From `previous` to `value`, as JSON Patch (RFC 6902). */
  readonly diff: readonly { readonly op: string; readonly path: string; readonly value?: Json }[];
  readonly traceparent?: string;
}

export interface HistoryOptions extends CallOptions {
  /** `newest` first unless told. */
  readonly order?: 'newest' | 'oldest' | undefined;
  /** Most changes of a page. */
  readonly limit?: number | undefined;
}

export interface HistoryPage<Value extends Content = Content> {
  readonly changes: readonly PastChange<Value>[];
  /** Of the log. */
  readonly revision: number;
  /** Older changes than this revision are gone. */
  readonly compactedTo: number;
  readonly next?: string;
}

export interface Restoration {
  readonly restored: number;
  readonly unchanged: number;
  readonly atomic: boolean;
  readonly batches: number;
  readonly revision: number;
}

/** What happened to keys, and back to it. */
export class History {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** One page of the changes of a key and all below it, such as `/kv/agent1` or `/app/shop`. */
  async page<Value extends Content = Content>(
    key: string,
    { order, limit, after, signal }: HistoryOptions & { readonly after?: string | undefined } = {},
  ): Promise<HistoryPage<Value>> {
    const call = { path: `history/${belowRoot(key)}`, query: { order, limit, after }, signal };
    const page = await this.#transport.json<HistoryPage<Value>>(call);
    return { ...page, changes: page.changes.map(readChange) };
  }

  /** All changes of a key and all below it that are still known. */
  list<Value extends Content = Content>(
    key: string,
    options: HistoryOptions = {},
  ): AsyncGenerator<PastChange<Value>, void, undefined> {
    return pages(async (after) => {
      const { changes, next } = await this.page<Value>(key, { ...options, after });
      return { items: changes, ...(next !== undefined && { next }) };
    });
  }

  /**
   * Writes again what a key held at a revision, as a new change; what did not exist then is left as it is.
   *
   * @param options.prefix also all keys below it.
   */
  async restore(
    key: string,
    revision: number,
    { prefix, signal }: CallOptions & { readonly prefix?: boolean } = {},
  ): Promise<Restoration> {
    const body = { key, revision, ...(prefix === true && { prefix }) };
    return await this.#transport.json<Restoration>({ method: 'POST', path: 'restore', body, signal });
  }
}

/** A whole key as the end of a path; the API leaves its first slash out. */
export function belowRoot(key: string): string {
  return keyPath(key.startsWith('/') ? key.slice(1) : key);
}

/** A change as it came, with raw content as such. */
export function readChange<Some extends Change>(change: Some): Some {
  const { value, previous } = change;
  return {
    ...change,
    value: value === null ? null : readValue(value),
    previous: previous === null ? null : readValue(previous),
  };
}
