import path from 'node:path';
import type { SkerryClient } from '../../../skerry-client.ts';
import { systemTiming } from '../../../transport/timing.ts';
import type { Output } from '../../output.ts';
import { fetchVersion } from '../pull-version.ts';
import type { OfferedVersion, Outcome, VersionSource } from './version-source.ts';

/** Characters of a report that Skerry takes. */
const MOST_DETAIL = 1_000;
/** Milliseconds within which all followers ask after a change. */
const SPREAD = 1_000;

export interface BundleSourceOptions {
  readonly client: SkerryClient;
  readonly output: Pick<Output, 'progress'>;
  readonly bundle: string;
  /** Without one, the newest version is wanted. */
  readonly channel: string | undefined;
  readonly consumer: string;
}

/** The versions of a bundle in Skerry, as one consumer gets them. */
export class BundleSource implements VersionSource {
  readonly #options: BundleSourceOptions;

  constructor(options: BundleSourceOptions) {
    this.#options = options;
  }

  async wanted(signal: AbortSignal): Promise<OfferedVersion | undefined> {
    const { client, output, bundle, channel, consumer } = this.#options;
    // A label of that name would stand in for a channel that is not there.
    const isThere =
      channel === undefined || (await client.bundles.channels.get(bundle, channel, { signal })) !== undefined;
    if (!isThere) return undefined;
    const reader = await client.bundles.open(bundle, channel ?? 'latest', { consumer, signal });
    if (reader === undefined) return undefined;
    return {
      version: reader.version,
      digest: reader.facts.digest,
      files: reader.files,
      pull: async (folder, temporary) =>
        await fetchVersion(reader, folder, path.join(temporary, 'archive'), { output, signal }),
    };
  }

  async acknowledge(outcome: Outcome, signal: AbortSignal): Promise<void> {
    const { client, bundle, channel, consumer } = this.#options;
    const detail = outcome.detail?.slice(0, MOST_DETAIL).toWellFormed();
    await client.bundles.consumers.acknowledge(bundle, { ...outcome, consumer, channel, detail }, { signal });
  }

  async *changes({
    signal,
    onFault,
  }: {
    readonly signal: AbortSignal;
    readonly onFault: (error: unknown) => void;
  }): AsyncGenerator<unknown, void, undefined> {
    const { client, bundle, channel } = this.#options;
    const root = `/bundle/${bundle}`;
    // Not the whole bundle: what one consumer acknowledges is nothing to the others.
    const prefix = channel === undefined ? `${root}/versions/` : `${root}/channels/${channel}`;
    let isFirst = true;
    for await (const event of client.watch(prefix, { signal, onFault })) {
      if (event.kind !== 'resync' && event.changes.length === 0) continue;
      // A thousand followers hear of a change at once, and need not ask at once.
      if (!isFirst) await systemTiming.wait(Math.random() * SPREAD, signal);
      isFirst = false;
      yield event;
    }
  }
}
