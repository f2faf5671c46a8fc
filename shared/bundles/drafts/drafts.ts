import type { Clock } from '../../platform/clock.ts';
import { isUnavailable, notFound, SkerryError, unprocessable } from '../../platform/errors.ts';
import type { Random } from '../../platform/random.ts';
import { createUlid } from '../../platform/ulid.ts';
import type { BundleInput } from '../content/bundle-input.ts';
import { normalizePath, quoted } from '../content/bundle-path.ts';
import { type BundleFile, bundleFileOf, comparePaths } from '../content/manifest.ts';
import { packFile } from '../content/pack-file.ts';
import type { DraftAddress, DraftContent, DraftHead, DraftStore } from '../storage/draft-store.ts';
import type { Publication, PublishOptions } from '../versions/publisher.ts';
import type { Versions } from '../versions/versions.ts';
import { DraftBase } from './draft-base.ts';
import { type DraftTimes, draftIdOf, readDraftId, unknownDraft } from './draft-id.ts';
import { DraftLock } from './draft-lock.ts';
import { LargeCommits } from './large-commits.ts';

/** Seconds for which the URL of a draft takes an archive. */
const UPLOAD_SECONDS = 60 * 60;

/** A set of files that somebody is putting together: nobody sees it, and it holds nobody up, until it becomes a version. */
export interface Draft {
  readonly draft: string;
  /** The version that it began with. */
  readonly from?: number;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
  readonly expiresAt: number;
}

export interface BegunDraft extends Draft {
  /** Where an archive can be put, straight to storage. */
  readonly upload: { readonly url: string; readonly expiresAt: number };
}

/** A draft, and what was put into it and deleted from it. */
export interface DraftListing extends Draft {
  readonly archive?: { readonly size: number };
  readonly files: readonly BundleFile[];
  readonly deleted: readonly string[];
}

export type CommitOptions = Omit<PublishOptions, 'draft' | 'settled'>;

export interface DraftsOptions {
  readonly store: DraftStore;
  readonly versions: Versions;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Drafts: files are put one by one, or uploaded as an archive, and become a version as a whole. Every method throws SkerryError
 * `not-found` for a draft that is not open, `unavailable` when storage does not answer.
 */
export class Drafts {
  readonly #store: DraftStore;
  readonly #versions: Versions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #base: DraftBase;
  readonly #lock = new DraftLock();
  readonly #large = new LargeCommits();

  constructor({ store, versions, clock, random }: DraftsOptions) {
    this.#store = store;
    this.#base = new DraftBase(versions);
    this.#versions = versions;
    this.#clock = clock;
    this.#random = random;
  }

  /** @param from the version whose files it has at first: a number, `latest`, a channel or a label. */
  async begin(ns: string, name: string, from?: string): Promise<BegunDraft> {
    const base = from === undefined ? undefined : await this.#versions.find(ns, name, from);
    const ulid = createUlid(this.#clock.now(), this.#random);
    const address = { ns, name, ulid };
    const head = base === undefined ? {} : { from: base.version };
    const draft = describe(readDraftId(draftIdOf(ulid)), head);
    const uploadExpiresAt = draft.createdAt + 1000 * UPLOAD_SECONDS;
    const [url] = await Promise.all([
      this.#store.uploadUrl(address, uploadExpiresAt),
      this.#store.begin(address, head),
    ]);
    return { ...draft, upload: { url, expiresAt: uploadExpiresAt } };
  }

  async get(ns: string, name: string, id: string): Promise<DraftListing> {
    const { times, address } = this.#open(ns, name, id);
    const content = await this.#openContent(address, id);
    return {
      ...describe(times, content.head),
      ...(content.archive !== undefined && { archive: { size: content.archive.size } }),
      files: content.files
        .map(({ facts }) => bundleFileOf(facts))
        .sort((a, b) => comparePaths(a.path, b.path)),
      deleted: content.deleted.toSorted(comparePaths),
    };
  }

  /** Puts a file over whatever the draft has under that path. */
  async putFile(ns: string, name: string, id: string, path: string, bytes: Uint8Array): Promise<BundleFile> {
    const { address } = this.#open(ns, name, id);
    const [{ facts, data }] = await Promise.all([
      packFile(normalizePath(path), bytes),
      this.#openHead(address, id),
    ]);
    await this.#store.put(address, facts, data);
    return bundleFileOf(facts);
  }

  /** @throws SkerryError `not-found` also where the draft has no such file. */
  async deleteFile(ns: string, name: string, id: string, path: string): Promise<void> {
    const { address } = this.#open(ns, name, id);
    const normalized = normalizePath(path);
    const [head, state] = await Promise.all([
      this.#openHead(address, id),
      this.#store.state(address, normalized),
    ]);
    const isThere =
      state === 'put' || (state === undefined && (await this.#isBeneath(address, head, normalized)));
    if (!isThere) {
      throw notFound(`The draft has no file ${quoted(normalized)}.`, {
        field: 'path',
        fix: 'GET the draft to see what was put and deleted.',
      });
    }
    await this.#store.delete(address, normalized);
  }

  /** @throws SkerryError `not-found` also for a draft that has become a version, whose commit was perhaps not answered. */
  async discard(ns: string, name: string, id: string): Promise<void> {
    const { address } = this.#open(ns, name, id);
    await this.#alone(address, async () => {
      await this.#openHead(address, id);
      const committed = await this.#versions.committedBy(ns, name, address.ulid);
      if (!(await this.#store.remove(address)) || committed !== undefined) {
        throw unknownDraft(id);
      }
    });
  }

  /**
   * Publishes the draft, whole or not at all; committed again, it answers what it became. A refusal leaves it as it was.
   *
   * @throws SkerryError `conflict` when it is changed meanwhile, or has both an archive and files that it began with; `unprocessable`
   *   for files that cannot be a version together; `too-many-requests`; and whatever publishing throws.
   */
  async commit(ns: string, name: string, id: string, options: CommitOptions): Promise<Publication> {
    const { ulid } = readDraftId(id);
    const address = { ns, name, ulid };
    return await this.#alone(address, async () => {
      const earlier = await this.#outcome(address);
      if (earlier !== undefined) return earlier;
      try {
        return await this.#publish(address, id, options);
      } catch (error) {
        // Another commit of the draft may have come first, and taken away what this one was reading.
        const isGone =
          error instanceof SkerryError && (error.kind === 'conflict' || error.kind === 'not-found');
        const others = isGone ? await this.#outcome(address) : undefined;
        if (others !== undefined) return others;
        throw error;
      }
    });
  }

  /** What ends a draft goes one after the other, in this process. */
  async #alone<Answer>({ ns, name, ulid }: DraftAddress, end: () => Promise<Answer>): Promise<Answer> {
    return await this.#lock.hold(`${ns}/${name}/${ulid}`, end);
  }

  async #publish(address: DraftAddress, id: string, options: CommitOptions): Promise<Publication> {
    const { ns, name } = address;
    this.#open(ns, name, id);
    const content = await this.#openContent(address, id);
    const inputs = await this.#inputs(address, content);
    if (inputs.length === 0) {
      throw unprocessable('The draft has no file.', {
        fix: 'Put a file, upload an archive to the URL of the draft, or begin one with "from".',
      });
    }
    const bytes = inputs.reduce((sum, input) => sum + bytesOf(input), 0);
    const publication = await this.#large.hold(bytes, () =>
      this.#versions.publish(ns, name, inputs, {
        ...options,
        draft: address.ulid,
        settled: () => this.#settledMeanwhile(address, id),
      }),
    );
    return await this.#end(address, publication);
  }

  /**
   * What was published stands, whether the draft can be taken away or not; what is left of it is collected after its day. That it made
   * no version is said only once that is written down, or a repetition might make one.
   *
   * @returns what the draft became: not what was found unchanged, where another commit has made a version of it meanwhile.
   */
  async #end(address: DraftAddress, publication: Publication): Promise<Publication> {
    const { version, unchanged } = publication;
    if (unchanged) {
      const isSettled = await this.#store.settle(address, version.version);
      return (isSettled ? undefined : await this.#outcome(address)) ?? publication;
    }
    try {
      await this.#store.remove(address);
    } catch (error) {
      if (!isUnavailable(error)) throw error;
    }
    return publication;
  }

  /** What an earlier commit made of the draft. */
  async #outcome({ ns, name, ulid }: DraftAddress): Promise<Publication | undefined> {
    const address = { ns, name, ulid };
    const [version, head] = await Promise.all([
      this.#versions.committedBy(ns, name, ulid),
      this.#store.head(address),
    ]);
    return version === undefined ? await this.#settledBy(address, head) : { version, unchanged: false };
  }

  /** @throws SkerryError `not-found` where the draft was taken away while it was read. */
  async #settledMeanwhile(address: DraftAddress, id: string): Promise<Publication | undefined> {
    const head = await this.#store.head(address);
    if (head === undefined) throw unknownDraft(id);
    return await this.#settledBy(address, head);
  }

  /** What an earlier commit found unchanged. */
  async #settledBy(
    { ns, name }: DraftAddress,
    head: DraftHead | undefined,
  ): Promise<Publication | undefined> {
    if (head?.unchanged === undefined) return undefined;
    return { version: await this.#versions.find(ns, name, String(head.unchanged)), unchanged: true };
  }

  async #inputs(address: DraftAddress, content: DraftContent): Promise<readonly BundleInput[]> {
    const { head, archive, files, deleted } = content;
    const covered = new Set([...files.map(({ facts }) => facts.path), ...deleted]);
    const beneath = await this.#base.inputs(
      address,
      { from: head.from, archive },
      (path) => !covered.has(path),
    );
    return [...beneath, ...files];
  }

  async #isBeneath(address: DraftAddress, { from }: DraftHead, path: string): Promise<boolean> {
    const archive = await this.#store.archive(address);
    const inputs = await this.#base.inputs(address, { from, archive }, (candidate) => candidate === path);
    return inputs.length > 0;
  }

  /** @throws SkerryError `not-found` for what is no id, and for one whose time is over. */
  #open(ns: string, name: string, id: string): { times: DraftTimes; address: DraftAddress } {
    const times = readDraftId(id);
    if (this.#clock.now() >= times.expiresAt) {
      throw unknownDraft(id);
    }
    return { times, address: { ns, name, ulid: times.ulid } };
  }

  async #openContent(address: DraftAddress, id: string): Promise<DraftContent> {
    const content = await this.#store.content(address);
    if (content === undefined || isOver(content.head)) {
      throw unknownDraft(id);
    }
    return content;
  }

  async #openHead(address: DraftAddress, id: string): Promise<DraftHead> {
    const head = await this.#store.head(address);
    if (head === undefined || isOver(head)) {
      throw unknownDraft(id);
    }
    return head;
  }
}

/** Whether it was committed already, though it made no version. */
function isOver({ unchanged }: DraftHead): boolean {
  return unchanged !== undefined;
}

/** What has to be read of it. */
function bytesOf(input: BundleInput): number {
  return input.kind === 'packed' ? input.facts.packedSize : input.size;
}

function describe({ ulid, createdAt, expiresAt }: DraftTimes, { from }: DraftHead): Draft {
  return { draft: draftIdOf(ulid), ...(from !== undefined && { from }), createdAt, expiresAt };
}
