import { type Page, pages } from '../transport/paged.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';

export type SearchKind =
  | 'app'
  | 'service'
  | 'instance'
  | 'key'
  | 'bundle'
  | 'channel'
  | 'template'
  | 'environment'
  | 'resource'
  | 'resource-group'
  | 'operation';

/** Something that was found. */
export interface Finding {
  readonly kind: SearchKind;
  /** As the paths of the API have it, such as `ENVIRONMENT/RESOURCE`. */
  readonly id: string;
  readonly key: string;
  readonly name?: string;
  /** Where the text was found. */
  readonly field: 'id' | 'name' | 'tag' | 'description' | 'text';
  /** What stands there, on one line. */
  readonly excerpt: string;
  /** 6 for a whole name, 5 for the beginning of one, 4 for a part of it, 3 for tags, 2 for descriptions, 1 for other texts. */
  readonly score: number;
}

export interface FindingsPage extends Page<Finding> {
  /** There where the namespace holds more than is searched. */
  readonly incomplete?: true;
}

/** At least one of `text`, `kinds` and `tags`; what is found has all that is given. */
export interface SearchOptions extends CallOptions {
  /** A part of a text, in upper or lower case. */
  readonly text?: string | undefined;
  readonly kinds?: readonly SearchKind[] | undefined;
  /** `name:value`, or the name of a tag alone. */
  readonly tags?: readonly string[] | undefined;
  /** Most items of a page. */
  readonly limit?: number | undefined;
}

/** Finds what is public in the namespace by its texts. */
export class Search {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** The best first, equals by key. */
  async page({
    text,
    kinds,
    tags,
    limit,
    after,
    signal,
  }: SearchOptions & { readonly after?: string | undefined }): Promise<FindingsPage> {
    const query = { q: text, kind: kinds, tag: tags, limit, after };
    return await this.#transport.json<FindingsPage>({ path: 'search', query, signal });
  }

  /** All that is found, the best first. */
  list(options: SearchOptions): AsyncGenerator<Finding, void, undefined> {
    return pages((after) => this.page({ ...options, after }));
  }
}
