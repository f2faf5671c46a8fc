import { BlockBlobClient } from '@azure/storage-blob';
import { MemoryArchive } from '../../../../shared/bundles/content/memory-archive.ts';
import { writeZip } from '../../../../shared/bundles/content/write-zip.ts';
import type { BegunDraft } from '../../../../shared/bundles/drafts/drafts.ts';
import { SkerryError } from '../../../../shared/platform/errors.ts';
import { revisionTag } from '../../../../shared/platform/http/index.ts';
import type { Attempt, AttemptFacts, CrashHistory } from './crash-history.ts';
import type { CrashWorld, Outcome } from './crash-world.ts';
import type { MortalProcess } from './mortal-process.ts';
import { contentOf, inputsOf, newToken } from './token-files.ts';

export const NS = 'default';
const AUTHOR = { actor: 'test' };
const LABELS = ['red', 'green', 'blue'];
/** How often what was not answered is asked for again. */
const TRIES = 5;

export interface WriterPlace {
  readonly name: string;
  readonly id: number;
  /** How many of the versions have many files. */
  readonly wide: number;
}

/** Publishes, rolls back, and moves channels, each way at random. */
export class CrashWriter {
  readonly #world: CrashWorld;
  readonly #history: CrashHistory;
  readonly #name: string;
  readonly #id: number;
  readonly #wide: number;
  #tokens = 0;

  constructor(world: CrashWorld, history: CrashHistory, place: WriterPlace) {
    this.#world = world;
    this.#history = history;
    this.#name = place.name;
    this.#id = place.id;
    this.#wide = place.wide;
  }

  async write(): Promise<void> {
    const chance = this.#world.random();
    if (chance < 0.35) return await this.#publish();
    if (chance < 0.7) return await this.#publishByDraft();
    if (chance < 0.78) return await this.#rollBack();
    return await this.#moveChannel();
  }

  async #publish(): Promise<void> {
    const token = this.#token(true);
    const { facts, options } = this.#conditions();
    const attempt = this.#history.begin({ token, ...facts });
    const outcome = await this.#world.ask(({ versions }) =>
      versions.publish(NS, this.#name, inputsOf(token), { ...options, message: attempt.id }),
    );
    this.#history.settle(attempt, outcome);
  }

  async #rollBack(): Promise<void> {
    const version = 1 + Math.floor(this.#world.random() * this.#history.seenLatest);
    const attempt = this.#history.begin({});
    const outcome = await this.#world.ask(({ versions }) =>
      versions.rollback(NS, this.#name, String(version), { author: AUTHOR, message: attempt.id }),
    );
    this.#history.settle(attempt, outcome);
  }

  /** Puts a whole content into a draft, file by file or as an archive, over whatever it began with. */
  async #publishByDraft(): Promise<void> {
    const { random, pick } = this.#choices();
    const from =
      random() < 0.5 || this.#history.seenLatest === 0 ? undefined : pick(['latest', 'latest', 'stable']);
    const begun = await this.#untilAnswered(
      ({ drafts }) => drafts.begin(NS, this.#name, from),
      'begin a draft',
    );
    if (begun?.kind !== 'done') return;
    const { draft, from: base, upload, expiresAt } = begun.answer;
    const isByArchive = base === undefined && random() < 0.4;
    const token = this.#token(isByArchive);
    const isFilled = isByArchive
      ? await this.#uploadArchive(upload.url, token)
      : await this.#putFiles(draft, token, base);
    if (!isFilled || random() < 0.1) return;
    if (random() < 0.15) return await this.#discard(draft);
    const { facts, options } = this.#conditions();
    const commit = () => this.#commit({ draft, expiresAt }, { token, draft, ...facts }, options);
    await Promise.all([
      commit(),
      ...(random() < 0.25 ? [commit()] : []),
      ...(random() < 0.2 ? [this.#askToDiscard(draft)] : []),
    ]);
    if (random() < 0.2) await commit();
    if (random() < 0.3) await this.#discard(draft);
  }

  async #uploadArchive(url: string, token: string): Promise<boolean> {
    const archive = new MemoryArchive();
    await writeZip(inputsOf(token), archive);
    await new BlockBlobClient(url).upload(archive.bytes, archive.size);
    return true;
  }

  async #putFiles(draft: string, token: string, base: number | undefined): Promise<boolean> {
    const wanted = contentOf(token);
    let beneath: readonly string[] = [];
    if (base !== undefined) {
      const listed = await this.#untilAnswered(async ({ versions }) => {
        const version = await versions.find(NS, this.#name, String(base));
        return (await versions.manifest(NS, this.#name, version)).files.map(({ path }) => path);
      }, `look at version ${base}`);
      if (listed?.kind !== 'done') return false;
      beneath = listed.answer;
    }
    for (const [path, text] of wanted) {
      const put = await this.#untilAnswered(
        ({ drafts }) => drafts.putFile(NS, this.#name, draft, path, Buffer.from(text)),
        'put a file',
      );
      if (put?.kind !== 'done') return false;
    }
    for (const path of beneath.filter((one) => !wanted.has(one))) {
      const deleted = await this.#untilAnswered(async ({ drafts }) => {
        await drafts.deleteFile(NS, this.#name, draft, path).catch(ignoreUnknownFile);
      }, 'delete a file');
      if (deleted?.kind !== 'done') return false;
    }
    return true;
  }

  /** Commits a draft until that is answered. */
  async #commit(
    { draft, expiresAt }: Pick<BegunDraft, 'draft' | 'expiresAt'>,
    facts: AttemptFacts,
    options: object,
  ): Promise<void> {
    for (let tries = 0; tries < TRIES; tries++) {
      // Who was not answered may think better of it.
      if (tries > 0 && this.#world.random() < 0.2) return await this.#discard(draft);
      const attempt = this.#history.begin(facts);
      const outcome = await this.#world.ask(({ drafts }) =>
        drafts.commit(NS, this.#name, draft, { author: AUTHOR, ...options, message: attempt.id }),
      );
      const state = this.#history.settle(attempt, outcome);
      const isOpen = !this.#history.discards.has(draft) && this.#world.clock.now() < expiresAt;
      // What `ifChangedFrom` names may not be there either.
      const isMissed = isOpen && facts.ifChangedFrom === undefined && isKind(outcome, 'not-found');
      if (isMissed) {
        this.#history.missed.set(draft, `${attempt.id}: ${outcome.kind === 'failed' && outcome.error}`);
      }
      // Somebody who died may have put a file again.
      const isToBeRepeated = state === 'uncertain' || isKind(outcome, 'conflict');
      if (!isToBeRepeated) return;
    }
  }

  /** Once nothing is on its way any more that commits the draft. */
  async #discard(draft: string): Promise<void> {
    await this.#world.passLong(0);
    if (await this.#askToDiscard(draft)) this.#history.discards.set(draft, true);
  }

  async #askToDiscard(draft: string): Promise<boolean> {
    const { discards } = this.#history;
    discards.set(draft, discards.get(draft) ?? false);
    const outcome = await this.#world.ask(({ drafts }) => drafts.discard(NS, this.#name, draft));
    this.#history.isRefusal(outcome, 'discarding a draft');
    return outcome.kind === 'done';
  }

  async #moveChannel(): Promise<void> {
    const { random, pick } = this.#choices();
    if (this.#history.seenLatest === 0) return;
    const channel = pick(['stable', 'stable', 'passing']);
    const address = { ns: NS, name: this.#name, channel };
    const what = `moving the channel ${channel}`;
    const chance = random();
    if (chance < 0.65) {
      const version = random() < 0.5 ? 'latest' : String(1 + Math.floor(random() * this.#history.seenLatest));
      const steps = [
        { percent: 30, bake: 30 },
        { percent: 60, bake: 600 },
      ];
      const strategy = random() < 0.5 ? { steps, maxFailures: 2 } : undefined;
      const outcome = await this.#world.ask(({ channels }) =>
        channels.put(address, { version, strategy }, { author: AUTHOR, ownUrl: 'https://skerry.test' }),
      );
      this.#history.isRefusal(outcome, what);
      if (outcome.kind === 'done') {
        this.#seeRevision(outcome.answer.channel.revision);
        this.#history.hasStable ||= channel === 'stable';
      }
    } else if (chance < 0.9) {
      const move = pick(['pause', 'resume', 'abort'] as const);
      this.#history.isRefusal(
        await this.#world.ask(({ channels }) => channels.move(address, move, AUTHOR)),
        what,
      );
    } else if (channel === 'passing') {
      const write = { author: AUTHOR };
      this.#history.isRefusal(await this.#world.ask(({ channels }) => channels.delete(address, write)), what);
    }
  }

  /** Asks again where no answer came; undefined when it gives up. */
  async #untilAnswered<Answer>(
    work: (process: MortalProcess) => Promise<Answer>,
    what: string,
  ): Promise<Outcome<Answer> | undefined> {
    for (let tries = 0; tries < TRIES; tries++) {
      const outcome = await this.#world.ask(work);
      if (outcome.kind === 'done' || this.#history.isRefusal(outcome, what)) return outcome;
    }
    return undefined;
  }

  /** Mostly one that nobody used before. */
  #token(canBeWide: boolean): string {
    const { random } = this.#choices();
    const known = random() < 0.25 ? this.#history.tokenOfNumber(this.#history.seenLatest) : undefined;
    this.#tokens += 1;
    const isWide = canBeWide && random() < this.#wide;
    return known ?? newToken({ isWide, owner: `${this.#name}-${this.#id}`, nth: this.#tokens });
  }

  #conditions(): { facts: Pick<Attempt, 'ifChangedFrom' | 'newest'>; options: Conditions } {
    const { random, pick } = this.#choices();
    const { seenLatest, revisions } = this.#history;
    const labels = random() < 0.5 ? [pick(LABELS)] : [];
    const chance = random();
    const isFirst = seenLatest === 0;
    if (chance < 0.15 && !isFirst) {
      const ifChangedFrom = pick(['latest', 'stable', 'red', String(Math.max(1, seenLatest - 1))]);
      return { facts: { ifChangedFrom }, options: { author: AUTHOR, labels, ifChangedFrom } };
    }
    const revision = revisions.get(seenLatest);
    if (chance < 0.3 && revision !== undefined) {
      const precondition = { ifMatch: [revisionTag(revision)] };
      return { facts: { newest: seenLatest }, options: { author: AUTHOR, labels, precondition } };
    }
    if (chance < 0.35) {
      const precondition = { ifNoneMatch: '*' } as const;
      return { facts: { newest: 0 }, options: { author: AUTHOR, labels, precondition } };
    }
    return { facts: {}, options: { author: AUTHOR, labels } };
  }

  #choices() {
    const { random } = this.#world;
    return { random, pick: <Item>(items: readonly Item[]) => this.#world.pick(items) };
  }

  #seeRevision(revision: number): void {
    this.#history.seenRevision = Math.max(this.#history.seenRevision, revision);
  }
}

interface Conditions {
  readonly author: typeof AUTHOR;
  readonly labels: readonly string[];
  readonly ifChangedFrom?: string;
  readonly precondition?: { readonly ifMatch?: readonly string[]; readonly ifNoneMatch?: '*' };
}

function isKind(outcome: Outcome<unknown>, kind: string): boolean {
  return outcome.kind === 'failed' && outcome.error instanceof SkerryError && outcome.error.kind === kind;
}

/** What is deleted again is no longer there. */
function ignoreUnknownFile(error: unknown): void {
  if (!(error instanceof SkerryError) || error.kind !== 'not-found') throw error;
}
