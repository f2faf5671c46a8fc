import {
  type BundleValue,
  bundleKey,
  bundleScope,
  type ChannelValue,
  channelKey,
  channelsPrefix,
  type RetentionRule,
  type VersionValue,
  versionsPrefix,
} from '../../../../shared/bundles/index.ts';
import { type Change, isUnder } from '../../../../shared/records/index.ts';
import { DAY, HOUR } from '../bundle-world.ts';
import type { Attempt, CrashHistory } from './crash-history.ts';
import { NS } from './crash-writers.ts';
import type { MortalProcess } from './mortal-process.ts';
import { digestOfToken } from './token-files.ts';

type Value = BundleValue & VersionValue & ChannelValue;

interface Published {
  readonly value: VersionValue;
  readonly revision: number;
  readonly at: number;
  removedAt?: number;
}

/** Goes through all that happened to a bundle, and holds it against what those who wrote tried and were told. */
export class CrashJudge {
  readonly published = new Map<number, Published>();
  /** What stands wrong. */
  readonly faults: string[] = [];
  readonly #history: CrashHistory;
  readonly #name: string;
  readonly #rule: RetentionRule;
  readonly #channels = new Map<string, ChannelValue>();
  readonly #stable: { readonly revision: number; readonly versions: readonly number[] }[] = [];
  readonly #tokens = new Map<number, string>();
  #latest = 0;

  constructor(history: CrashHistory, name: string, rule: RetentionRule) {
    this.#history = history;
    this.#name = name;
    this.#rule = rule;
  }

  async judge({ records }: MortalProcess): Promise<void> {
    for (const change of await records.changes<Value>(bundleScope(NS, this.#name), { above: 0 })) {
      const { key, value } = change;
      if (key === bundleKey(this.#name)) this.#takeHead(value?.latest ?? 0);
      if (isUnder(versionsPrefix(this.#name), key)) this.#takeVersion(change);
      if (isUnder(channelsPrefix(this.#name), key)) this.#takeChannel(change);
    }
    this.#expect(
      this.#latest === this.published.size,
      `${this.#latest} is the latest of ${this.published.size}`,
    );
    for (const attempt of this.#history.attempts.values()) this.#judgeAttempt(attempt);
    this.#judgeDrafts();
  }

  /** What a version is made of. */
  tokenOf(version: number): string {
    return this.#tokens.get(version) ?? '';
  }

  #takeHead(latest: number): void {
    this.#expect(latest === this.#latest || latest === this.#latest + 1, `${latest} follows ${this.#latest}`);
    this.#latest = latest;
  }

  #takeVersion({ value, previous, revision, at: time }: Change<Value>): void {
    const at = Date.parse(time);
    if (value === undefined) {
      const removedAt = Date.parse(previous?.value.removedAt ?? '9999-01-01');
      this.#expect(
        at - removedAt >= HOUR,
        `version ${previous?.value.version} was deleted while it was read`,
      );
    } else if (previous === undefined) {
      this.#takePublished({ value, revision, at });
    } else {
      this.#takeRemoval(value, at);
    }
  }

  #takePublished(published: Published): void {
    const { version, message, digest, draft, rollbackOf } = published.value;
    const what = `version ${version} (${message})`;
    const attempt = this.#history.attempts.get(message);
    const before = this.published.get(version - 1);
    const token = attempt?.token ?? this.#tokens.get(rollbackOf ?? 0) ?? '';
    this.#tokens.set(version, token);
    this.#expect(version === this.published.size + 1, `${what} follows ${this.published.size}`);
    this.#expect(attempt !== undefined && ulidOf(attempt) === draft, `${what} was tried`);
    this.#expect(attempt?.state !== 'refused', `${what} was not refused`);
    this.#expect(digest === digestOfToken(token), `${what} has the content of ${token}`);
    this.#expect(digest !== before?.value.digest, `${what} is not what version ${version - 1} is`);
    const { newest = version - 1 } = attempt ?? {};
    this.#expect(newest === version - 1, `${what} was to follow ${newest}`);
    this.published.set(version, published);
  }

  #takeRemoval({ version, removedAt }: VersionValue, at: number): void {
    const published = this.published.get(version);
    if (published === undefined || published.removedAt !== undefined || removedAt === undefined) {
      this.faults.push(`version ${version} was changed`);
      return;
    }
    const newer = [...this.published.values()].filter(
      (other) => other.value.version > version && other.removedAt === undefined,
    );
    this.#expect(newer.length >= Math.max(1, this.#rule.versions), `version ${version} was among the newest`);
    this.#expect(at - published.at >= this.#rule.days * DAY, `version ${version} was young`);
    const holders = [...this.#channels].filter(([, channel]) => versionsIn(channel).includes(version));
    this.#expect(holders.length === 0, `version ${version} was taken away from ${holders[0]?.[0]}`);
    published.removedAt = at;
  }

  #takeChannel({ key, value, revision }: Change<Value>): void {
    if (value === undefined) {
      this.#channels.delete(key);
      return;
    }
    this.#channels.set(key, value);
    for (const version of [value.version, value.rollout?.version].filter((one) => one !== undefined)) {
      const published = this.published.get(version);
      const isThere =
        published !== undefined && (published.removedAt === undefined || !isUnderWay(value, version));
      this.#expect(isThere, `${key} stands for ${version}, which is gone`);
    }
    if (key === channelKey(this.#name, 'stable')) this.#stable.push({ revision, versions: [value.version] });
  }

  #judgeAttempt(attempt: Attempt): void {
    const { id, answer } = attempt;
    if (answer === undefined) return;
    const published = this.published.get(answer.version);
    const what = `${id} was answered with ${answer.version}`;
    const token = attempt.token ?? this.#tokens.get(answer.version) ?? '';
    this.#expect(published?.value.digest === digestOfToken(token), `${what}, which has its content`);
    if (answer.unchanged) {
      this.#expect(this.#wasStanding(attempt, answer.version), `${what} unchanged, which it was at the time`);
    } else {
      const draft = ulidOf(attempt);
      const isOwn = draft === undefined ? published?.value.message === id : published?.value.draft === draft;
      this.#expect(isOwn, `${what}, which is its own`);
    }
  }

  /** Whether a version was the newest, or what `ifChangedFrom` stands for, at a time since the attempt began. */
  #wasStanding({ seenRevision, ifChangedFrom }: Attempt, version: number): boolean {
    const next = this.published.get(version + 1);
    if (next === undefined || next.revision > seenRevision) return true;
    if (ifChangedFrom === 'stable') {
      return this.#stable.some(({ versions }, index) => {
        const until = this.#stable[index + 1]?.revision ?? Number.POSITIVE_INFINITY;
        return versions.includes(version) && until > seenRevision;
      });
    }
    if (ifChangedFrom === 'red') {
      return this.published.get(version)?.value.labels.includes('red') ?? false;
    }
    return ifChangedFrom === String(version);
  }

  #judgeDrafts(): void {
    const drafts = [...this.published.values()].flatMap(({ value }) => value.draft ?? []);
    this.#expect(new Set(drafts).size === drafts.length, 'a draft became two versions');
    for (const [draft, isAcknowledged] of this.#history.discards) {
      this.#expect(
        !(isAcknowledged && drafts.includes(ulidOf({ draft }) ?? '')),
        `${draft} was discarded, and stands`,
      );
    }
    for (const [draft, why] of this.#history.missed) {
      // Once cleanup has taken away what it became, nobody knows that any more.
      const isTakenAway = [...this.published.values()].some(
        ({ value, removedAt }) => value.draft === ulidOf({ draft }) && removedAt !== undefined,
      );
      this.#expect(isTakenAway, `${draft} was there, or had become a version (${why})`);
    }
  }

  #expect(isSo: boolean, what: string): void {
    if (!isSo) this.faults.push(`not so: ${what}`);
  }
}

/** How records name a draft. */
function ulidOf({ draft }: Pick<Attempt, 'draft'>): string | undefined {
  return draft?.slice('drf_'.length);
}

function versionsIn({ version, previous, rollout }: ChannelValue): number[] {
  return [version, previous, rollout?.version].filter((one) => one !== undefined);
}

/** Whether a channel hands a version out, rather than only knowing of a rollout that is over. */
function isUnderWay({ version, rollout }: ChannelValue, one: number): boolean {
  return version === one || rollout?.state === 'rolling' || rollout?.state === 'paused';
}
