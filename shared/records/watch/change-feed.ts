import {
  type ChangeFeedPullModelIterator,
  ChangeFeedStartFrom,
  type Container,
  ErrorResponse,
} from '@azure/cosmos';
import { askCosmos, COSMOS_STATUS, cosmosStatusOf } from '../../platform/ask-cosmos.ts';
import type { Clock } from '../../platform/clock.ts';
import { Coalesced } from '../../platform/coalesced.ts';
import { compacted, invalid, unavailable } from '../../platform/errors.ts';
import type { Change } from '../change.ts';
import { type ChangeDocument, fromChangeDocument } from '../documents.ts';
import { parseScopeId, type Scope } from '../scope.ts';
import { type FeedPosition, fromContinuation, positionKey, toContinuation } from './feed-position.ts';

/** Documents that a page asks for; a transaction is never cut, and Cosmos ends a page earlier at about 4 MB. */
const PAGE_DOCUMENTS = 1000;
/** Of a reader that has to begin in all ranges before it can be left. */
const FIRST_PAGE_DOCUMENTS = 100;

export interface FoundChange {
  readonly scope: Scope;
  readonly change: Change<unknown>;
}

export interface FeedPage {
  /** In order within each scope; a transaction is whole, because its documents share a sequence number. */
  readonly changes: readonly FoundChange[];
  /** Behind the page. */
  readonly position: FeedPosition;
  /** Whether there was nothing more when the page was asked for. */
  readonly isDrained: boolean;
  /** When the page was asked for, in milliseconds since the Unix epoch. */
  readonly askedAt: number;
}

/**
 * Reads the changes of all scopes as they come, by the change feed of the whole container. It knows each document as it is now,
 * so that compacted changes are missing from it.
 */
export class ChangeFeed {
  readonly #container: Container;
  readonly #clock: Clock;
  readonly #shared = new Map<string, { readonly page: Coalesced<FeedPage>; askers: number }>();

  constructor(container: Container, clock: Clock) {
    this.#container = container;
    this.#clock = clock;
  }

  /** A reader of what changes from the first page on, which is empty. */
  fromNow(): FeedReader {
    return new FeedReader(this.#iterate(ChangeFeedStartFrom.Now()), this.#clock);
  }

  /**
   * A reader of what changed since a time, to the second. Its position can be gone on from once it has begun in every range
   * of keys (`hasBegunEverywhere`), of which each page reads one more.
   */
  fromTime(milliseconds: number): FeedReader {
    return new FeedReader(
      this.#iterate(ChangeFeedStartFrom.Time(new Date(milliseconds)), FIRST_PAGE_DOCUMENTS),
      this.#clock,
    );
  }

  /** A reader of what changed behind a position. */
  from(position: FeedPosition): FeedReader {
    const iterator = this.#iterate(ChangeFeedStartFrom.Continuation(toContinuation(position)));
    return new FeedReader(iterator, this.#clock, async (error) => await this.#refusalOf(error, position));
  }

  /** The page behind a position; those who ask for the same at a time share the reading, as after a restart when all come back. */
  async readBehind(position: FeedPosition): Promise<FeedPage> {
    const key = positionKey(position);
    const shared = this.#shared.get(key) ?? {
      page: new Coalesced(() => this.from(position).read()),
      askers: 0,
    };
    this.#shared.set(key, shared);
    shared.askers += 1;
    try {
      return await shared.page.ask();
    } finally {
      shared.askers -= 1;
      if (shared.askers === 0) {
        this.#shared.delete(key);
      }
    }
  }

  #iterate(changeFeedStartFrom: ChangeFeedStartFrom, maxItemCount = PAGE_DOCUMENTS) {
    return this.#container.items.getChangeFeedIterator<ChangeDocument<unknown>>({
      changeFeedStartFrom,
      maxItemCount,
    });
  }

  /** What is wrong with a position from outside, if that is it. The SDK hides all but the status, if there is one. */
  async #refusalOf(error: unknown, position: FeedPosition): Promise<unknown> {
    if (!(error instanceof ErrorResponse)) {
      return error;
    }
    const fix = 'Leave it out and begin with a resync.';
    if (cosmosStatusOf(error) === 400) {
      return invalid('"cursor" is none that was given out here.', { field: 'cursor', fix, cause: error });
    }
    const { resource } = await askCosmos((abortSignal) => this.#container.read({ abortSignal }));
    return resource?._rid === position.container
      ? unavailable('The changes cannot be read at the moment.', { cause: error })
      : compacted('What the cursor points at is gone.', { fix, cause: error });
  }
}

export class FeedReader {
  readonly #iterator: ChangeFeedPullModelIterator<ChangeDocument<unknown>>;
  readonly #clock: Clock;
  readonly #explain: (error: unknown) => unknown;

  /** @param explain what to throw instead of an error of the database. */
  constructor(
    iterator: ChangeFeedPullModelIterator<ChangeDocument<unknown>>,
    clock: Clock,
    explain: (error: unknown) => unknown = (error) => error,
  ) {
    this.#iterator = iterator;
    this.#clock = clock;
    this.#explain = explain;
  }

  /**
   * After a failure the reader is not to be used again.
   *
   * @throws SkerryError `unavailable`; `invalid` for a position that Cosmos DB can make nothing of; `compacted` for one of a
   *   container that is gone.
   */
  async read(): Promise<FeedPage> {
    const askedAt = this.#clock.now();
    try {
      const { result, statusCode, continuationToken } = await askCosmos(() => this.#iterator.readNext());
      return {
        changes: (result ?? []).flatMap((document) => (document.type === 'change' ? toFound(document) : [])),
        position: fromContinuation(continuationToken),
        isDrained: statusCode === COSMOS_STATUS.notModified,
        askedAt,
      };
    } catch (error) {
      throw await this.#explain(error);
    }
  }
}

/** Documents of the feed carry members of Cosmos's own, which stay behind here. */
function toFound(document: ChangeDocument<unknown>): FoundChange {
  return { scope: parseScopeId(document.scope), change: fromChangeDocument(document) };
}
