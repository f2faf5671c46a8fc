import type { PageOptions } from '../config/apps.ts';
import { guard, type WriteOptions } from '../transport/guard.ts';
import { type Page, pages } from '../transport/paged.ts';
import { segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';
import type { Bundle, BundleSettings, VersionReference } from './bundle.ts';
import { BundleChannels } from './bundle-channels.ts';
import { BundleConsumers } from './bundle-consumers.ts';
import type { CommitOptions } from './bundle-draft.ts';
import { BundleDrafts } from './bundle-drafts.ts';
import { BundleReader } from './bundle-reader.ts';
import type { PublishedVersion } from './bundle-version.ts';
import { BundleVersions, type ReadVersionOptions } from './bundle-versions.ts';
import { BundleWriter } from './bundle-writer.ts';

/** Sets of files that must be seen together, in immutable versions. */
export class Bundles {
  readonly versions: BundleVersions;
  readonly drafts: BundleDrafts;
  readonly channels: BundleChannels;
  readonly consumers: BundleConsumers;
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.versions = new BundleVersions(transport);
    this.drafts = new BundleDrafts(transport);
    this.channels = new BundleChannels(transport);
    this.consumers = new BundleConsumers(transport);
  }

  /** @returns undefined where there is no such bundle. */
  async get(name: string, { signal }: CallOptions = {}): Promise<Bundle | undefined> {
    return await orUndefined(this.#transport.json<Bundle>({ path: pathOf(name), signal }));
  }

  async listPage({ limit, after, signal }: PageOptions = {}): Promise<Page<Bundle>> {
    return await this.#transport.json<Page<Bundle>>({ path: 'bundles', query: { limit, after }, signal });
  }

  /** All bundles of the namespace, by name. */
  list(options: CallOptions = {}): AsyncGenerator<Bundle, void, undefined> {
    return pages((after) => this.listPage({ ...options, after }));
  }

  /** Replaces what is set for a bundle; creates it where there is none. */
  async configure(
    name: string,
    settings: BundleSettings,
    { ifRevision, signal }: WriteOptions = {},
  ): Promise<Bundle> {
    return await this.#transport.json<Bundle>({
      method: 'PUT',
      path: pathOf(name),
      headers: guard(ifRevision),
      body: settings,
      signal,
    });
  }

  /** Pins the version that a reference stands for now; undefined where it stands for none. */
  async open(
    name: string,
    reference: VersionReference = 'latest',
    options: ReadVersionOptions = {},
  ): Promise<BundleReader | undefined> {
    const facts = await this.versions.get(name, reference, options);
    return facts && new BundleReader(name, facts, { versions: this.versions, transport: this.#transport });
  }

  /**
   * Writes a version: what `work` puts and deletes is published when it is done, and forgotten when it fails.
   *
   * @param options.from the version to begin with; with nothing unless told.
   * @returns undefined where `work` has called `noChange()`.
   * @throws what `work` throws.
   */
  async write(
    name: string,
    work: (writer: BundleWriter) => Promise<unknown>,
    { from, ...options }: CommitOptions & { readonly from?: VersionReference | undefined } = {},
  ): Promise<PublishedVersion | undefined> {
    const { signal } = options;
    const draft = await this.drafts.start(name, { from, signal });
    const writer = new BundleWriter(draft);
    try {
      await work(writer);
      signal?.throwIfAborted();
    } catch (error) {
      // What cannot be discarded is collected after a day.
      if (!draft.isOver) await draft.discard().catch(() => {});
      throw error;
    }
    return draft.isOver ? undefined : await draft.commit(options);
  }
}

function pathOf(name: string): string {
  return `bundles/${segment(name)}`;
}
