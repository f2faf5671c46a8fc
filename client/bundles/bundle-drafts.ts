import { segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';
import type { VersionReference } from './bundle.ts';
import { BundleDraft, type StartedDraft } from './bundle-draft.ts';
import type { BundleFile } from './bundle-version.ts';

/** What was put and deleted over the beginning of a draft. */
export interface DraftState {
  readonly draft: string;
  readonly from?: number;
  /** RFC 3339, as `expiresAt`. */
  readonly createdAt: string;
  readonly expiresAt: string;
  /** The zip that was uploaded. */
  readonly archive?: { readonly size: number };
  readonly files: readonly BundleFile[];
  /** Paths. */
  readonly deleted: readonly string[];
}

export interface StartOptions extends CallOptions {
  /** The version that it begins with; with nothing unless told. */
  readonly from?: VersionReference | undefined;
}

/** Versions in the making. Nobody sees them, and nobody waits for them. */
export class BundleDrafts {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async start(name: string, { from, signal }: StartOptions = {}): Promise<BundleDraft> {
    const started = await this.#transport.json<StartedDraft>({
      method: 'POST',
      path: draftsPath(name),
      body: { from: from === undefined ? undefined : String(from) },
      // A draft too many is collected after a day.
      isRepeatable: true,
      signal,
    });
    return new BundleDraft(`${draftsPath(name)}/${segment(started.draft)}`, started, this.#transport);
  }

  /** @returns undefined where there is none, as after its commit. */
  async get(name: string, draft: string, { signal }: CallOptions = {}): Promise<DraftState | undefined> {
    const call = { path: `${draftsPath(name)}/${segment(draft)}`, signal };
    return await orUndefined(this.#transport.json<DraftState>(call));
  }

  /** @returns whether it was there. */
  async discard(name: string, draft: string, { signal }: CallOptions = {}): Promise<boolean> {
    return await this.#transport.remove({ path: `${draftsPath(name)}/${segment(draft)}`, signal });
  }
}

function draftsPath(name: string): string {
  return `bundles/${segment(name)}/drafts`;
}
