import type { CallOptions } from '../transport/transport.ts';
import type { BundleDraft } from './bundle-draft.ts';
import type { BundleFile } from './bundle-version.ts';

/** What a write session does to its version. */
export class BundleWriter {
  readonly #draft: BundleDraft;

  constructor(draft: BundleDraft) {
    this.#draft = draft;
  }

  /** The version that it began with. */
  get from(): number | undefined {
    return this.#draft.from;
  }

  /** Puts a file of up to 50 MB; of several for one path, the last one counts. */
  async put(
    path: string,
    content: Uint8Array<ArrayBuffer> | Blob | string,
    options: CallOptions = {},
  ): Promise<BundleFile> {
    return await this.#draft.put(path, content, options);
  }

  /** @returns whether the file was there. */
  async delete(path: string, options: CallOptions = {}): Promise<boolean> {
    return await this.#draft.delete(path, options);
  }

  /** Ends the session without a version: what was written is forgotten, and whatever is written later fails. */
  async noChange(): Promise<void> {
    if (!this.#draft.isOver) await this.#draft.discard().catch(() => {});
  }
}
