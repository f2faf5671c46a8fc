import { backoff } from '../../../transport/backoff.ts';
import { isForeign, isNotFound, isPassing, SkerryProblem } from '../../../transport/problem.ts';
import { systemTiming } from '../../../transport/timing.ts';
import type { FollowReport } from './follow-report.ts';
import type { LastGood, LastGoodFile } from './last-good.ts';
import type { VersionFolders } from './version-folders.ts';
import type { OfferedVersion, Outcome, VersionSource } from './version-source.ts';

/** What a command is told of the version that has taken its place. */
export interface TakenVersion {
  readonly version: number;
  /** The one before; undefined where there was none. */
  readonly previous: number | undefined;
  /** Its own folder, which stays what it is. */
  readonly folder: string;
}

export interface BundleFollowerOptions {
  readonly bundle: string;
  readonly source: VersionSource;
  readonly folders: VersionFolders;
  readonly lastGood: LastGoodFile;
  /** How many versions stay, with the one in use. */
  readonly keep: number;
  /** Called when a version has taken its place. @returns why it does not work; undefined where it does. */
  readonly check: (taken: TakenVersion) => Promise<string | undefined>;
  readonly report: FollowReport;
  readonly signal: AbortSignal;
}

/** What a pass came to. */
export type PassResult = 'in place' | 'failed' | 'nothing there';

/**
 * Keeps a folder in step with a bundle: pull, put in place, check, acknowledge. Whatever interrupts it, the next pass does what is left: only
 * a version that was checked is remembered as good, and one that is remembered but not acknowledged is acknowledged. A version that
 * fails gives its place back to the last good one, and is not tried again before another one was wanted in between, or the follower has started again.
 */
export class BundleFollower {
  readonly #options: BundleFollowerOptions;
  #good: LastGood | undefined;
  #failed: OfferedVersion | undefined;
  /** What Skerry has still to be told. */
  #untold: Outcome | undefined;
  #hasLoaded = false;
  /** Whether the files of the good version were looked at since the start. */
  #isVerified = false;

  constructor(options: BundleFollowerOptions) {
    this.#options = options;
  }

  /**
   * One pass.
   *
   * @throws SkerryProblem and its like where Skerry refuses or is out of reach; the reason of the signal.
   */
  async bring(): Promise<PassResult> {
    const { source, report, signal, bundle, lastGood } = this.#options;
    if (!this.#hasLoaded) {
      this.#good = await lastGood.load(bundle);
      if (this.#good?.isAcknowledged === false) this.#untold = { version: this.#good.version, ok: true };
      this.#hasLoaded = true;
    }
    await this.#tell();
    const wanted = await source.wanted(signal);
    if (wanted === undefined) return 'nothing there';
    if (isSame(this.#failed, wanted)) return 'failed';
    this.#failed = undefined;
    if (await this.#isInPlace(wanted)) report.inStep(wanted.version);
    else await this.#take(wanted);
    return isSame(this.#failed, wanted) ? 'failed' : 'in place';
  }

  /**
   * Passes whenever something changes, until the signal ends it; gets over everything that may pass.
   *
   * @throws SkerryProblem where Skerry refuses for good; the reason of the signal.
   */
  async follow(): Promise<never> {
    const { source, report, signal } = this.#options;
    const onFault = (error: unknown) => report.fault(error);
    for await (const _ of source.changes({ signal, onFault })) await this.#bringPatiently();
    throw signal.reason;
  }

  async #bringPatiently(): Promise<void> {
    const { report, signal, bundle } = this.#options;
    for (let failures = 1; ; failures += 1) {
      try {
        const result = await this.bring();
        if (result === 'nothing there') report.waiting(`${bundle} has no such version yet`);
        return;
      } catch (error) {
        signal.throwIfAborted();
        // What was not found was there a moment ago: another version is.
        if (!isPassing(error) && !isForeign(error) && !isNotFound(error)) throw error;
        report.fault(error);
        const retryAfter = error instanceof SkerryProblem ? error.retryAfter : undefined;
        await systemTiming.wait(backoff(failures, Math.random(), retryAfter), signal);
      }
    }
  }

  async #isInPlace(wanted: OfferedVersion): Promise<boolean> {
    const { folders } = this.#options;
    const good = this.#good;
    if (good === undefined || !isSame(good, wanted) || (await folders.current()) !== good.name) return false;
    this.#isVerified ||= await folders.holds(good.name, wanted);
    return this.#isVerified;
  }

  async #take(wanted: OfferedVersion): Promise<void> {
    const { folders, check, report, lastGood, bundle, keep, signal } = this.#options;
    const { version, digest } = wanted;
    const before = this.#good;
    let name: string;
    try {
      name = await folders.provide(wanted, (folder, temporary) => wanted.pull(folder, temporary));
      await folders.point(name);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof SkerryProblem || isPassing(error)) throw error;
      await this.#giveUp(wanted, `it cannot be written: ${messageOf(error)}`);
      return;
    }
    const fault = await check({ version, previous: before?.version, folder: folders.pathOf(name) });
    if (fault !== undefined) {
      await this.#giveUp(wanted, fault);
      return;
    }
    this.#good = { bundle, version, digest, name, isAcknowledged: false };
    this.#isVerified = true;
    await lastGood.save(this.#good);
    report.applied(version, before?.version);
    this.#untold = { version, ok: true };
    await this.#tell();
    await folders.clean([name, ...(before === undefined ? [] : [before.name])], keep);
  }

  /** Puts the last good version back, if there is one. */
  async #giveUp(wanted: OfferedVersion, reason: string): Promise<void> {
    const { folders, check, report } = this.#options;
    this.#failed = wanted;
    const good = this.#good !== undefined && (await folders.has(this.#good.name)) ? this.#good : undefined;
    let detail = reason;
    if (good !== undefined && (await folders.current()) !== good.name) {
      await folders.point(good.name);
      const folder = folders.pathOf(good.name);
      const fault = await check({ version: good.version, previous: wanted.version, folder });
      if (fault !== undefined) detail += `\nBack at ${good.version}, which fails too: ${fault}`;
    }
    report.failed(wanted.version, detail, good?.version);
    this.#untold = { version: wanted.version, ok: false, detail };
    await this.#tell();
  }

  async #tell(): Promise<void> {
    const { source, lastGood, report, signal } = this.#options;
    const outcome = this.#untold;
    if (outcome === undefined) return;
    try {
      await source.acknowledge(outcome, signal);
    } catch (error) {
      if (!(error instanceof SkerryProblem) || isPassing(error) || isForeign(error)) throw error;
      // Whoever may not acknowledge may follow all the same.
      report.fault(error);
    }
    this.#untold = undefined;
    if (outcome.ok && this.#good?.version === outcome.version) {
      this.#good = { ...this.#good, isAcknowledged: true };
      await lastGood.save(this.#good);
    }
  }
}

type Identified = { readonly version: number; readonly digest: string };

function isSame(one: Identified | undefined, other: Identified): boolean {
  return one?.version === other.version && one.digest === other.digest;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
