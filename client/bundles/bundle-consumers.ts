import type { PageOptions } from '../config/apps.ts';
import { type Page, pages } from '../transport/paged.ts';
import { segment } from '../transport/path.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';

/** What a consumer has reported. */
export interface BundleConsumer {
  readonly consumer: string;
  /** The newest version that it runs; absent before the first that went well. */
  readonly version?: number;
  /** The version that it could not use last. */
  readonly failed?: { readonly version: number; readonly detail?: string };
  readonly channel?: string;
  /** RFC 3339: when it reported. */
  readonly at: string;
}

export interface Acknowledgement {
  readonly consumer: string;
  readonly version: number;
  /** Whether the version works; true unless told. Failures call off the rollout of the version. */
  readonly ok?: boolean | undefined;
  readonly detail?: string | undefined;
  readonly channel?: string | undefined;
}

/** Who runs which version. */
export class BundleConsumers {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async listPage(bundle: string, { limit, after, signal }: PageOptions = {}): Promise<Page<BundleConsumer>> {
    return await this.#transport.json({ path: consumersPath(bundle), query: { limit, after }, signal });
  }

  list(bundle: string, options: CallOptions = {}): AsyncGenerator<BundleConsumer, void, undefined> {
    return pages((after) => this.listPage(bundle, { ...options, after }));
  }

  /** Reports what became of a version. */
  async acknowledge(
    bundle: string,
    acknowledgement: Acknowledgement,
    { signal }: CallOptions = {},
  ): Promise<BundleConsumer> {
    return await this.#transport.json<BundleConsumer>({
      method: 'POST',
      path: `bundles/${segment(bundle)}/acks`,
      body: acknowledgement,
      isRepeatable: true,
      signal,
    });
  }

  /** Forgets a consumer that is gone. @returns whether it was there. */
  async delete(bundle: string, consumer: string, { signal }: CallOptions = {}): Promise<boolean> {
    const path = `${consumersPath(bundle)}/${segment(consumer)}`;
    return await this.#transport.remove({ path, signal });
  }
}

function consumersPath(bundle: string): string {
  return `bundles/${segment(bundle)}/consumers`;
}
