import type { Container } from '@azure/cosmos';
import { type Clock, toTimestamp } from '../../platform/clock.ts';
import { queryAll } from '../../platform/cosmos-query.ts';
import { compacted } from '../../platform/errors.ts';
import type { HeadDocument } from '../documents.ts';
import { PROOF_LIFETIME_MILLISECONDS } from '../history/head.ts';
import type { WatchRange } from './watch-range.ts';

/** How far the clocks of those who write may be apart, in milliseconds; the times of changes are theirs. */
const CLOCK_SKEW = 60_000;

/** Finds out whether changes are missing from the feed because their scope was compacted. */
export class CompactionCheck {
  readonly #container: Container;
  readonly #clock: Clock;

  constructor(container: Container, clock: Clock) {
    this.#container = container;
    this.#clock = clock;
  }

  /**
   * To be called after the feed was read.
   *
   * @param completeSince changes that were committed before, in milliseconds since the Unix epoch, were not read for.
   * @throws SkerryError `compacted` when changes since then may be gone.
   */
  async check({ ns, kinds }: WatchRange, completeSince: number): Promise<void> {
    if (completeSince > this.#clock.now() - PROOF_LIFETIME_MILLISECONDS) {
      // Changes stay in storage for longer than that, compacted or not.
      return;
    }
    const [head] = await queryAll<Pick<HeadDocument, 'scope' | 'compactedTo'>>(this.#container, {
      query:
        "SELECT TOP 1 c.scope, c.compactedTo FROM c WHERE c.type = 'head' AND c.ns = @ns AND ARRAY_CONTAINS(@kinds, c.kind) AND c.compactedUntil > @since",
      parameters: [
        { name: '@ns', value: ns },
        { name: '@kinds', value: kinds.map(({ kind }) => kind) },
        { name: '@since', value: toTimestamp(Math.max(0, completeSince - CLOCK_SKEW)) },
      ],
    });
    if (head !== undefined) {
      throw compacted(
        `Changes since the cursor are gone, such as those of ${head.scope} up to revision ${head.compactedTo}.`,
        {
          fix: 'Leave the cursor out and begin with a resync.',
          extensions: { compactedTo: head.compactedTo },
        },
      );
    }
  }
}
