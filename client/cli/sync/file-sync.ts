import type { SkerryClient } from '../../skerry-client.ts';
import { backoff } from '../../transport/backoff.ts';
import { isPassing } from '../../transport/problem.ts';
import type { Content } from './database-entry.ts';
import { FileSet } from './file-set.ts';
import { FolderWatcher } from './folder-watcher.ts';
import { copyStatus, followStatus } from './follow-status.ts';
import { AnotherSync, LEDGER_STORE, Ledger } from './ledger.ts';
import { type MergedFiles, mergeFiles } from './merge-files.ts';
import type { StatusFile } from './status-file.ts';
import { StoreMirror } from './store-mirror.ts';
import type { SyncReport } from './sync-report.ts';

/** Milliseconds after which the files are looked at without any event: some file systems tell of none. */
const LOOK_INTERVAL = 5000;
const NOTHING: Content = new Map();

export interface FileSyncOptions {
  readonly client: SkerryClient;
  /** Absolute; files and folders. */
  readonly paths: readonly string[];
  /** Where keys go that name no store. */
  readonly store: string | undefined;
  readonly name: string;
  readonly statusFile: StatusFile | undefined;
  readonly report: SyncReport;
  readonly signal: AbortSignal;
}

/** What is to be done about a store of which something failed. */
interface Trouble {
  readonly failures: number;
  /** Milliseconds since the epoch; never without before the files change. */
  readonly retryAt: number;
}

/** Files that are the truth about the keys that they name (cn-infra, FileDB). */
export class FileSync {
  readonly #options: FileSyncOptions;
  readonly #files: FileSet;
  readonly #ledger: Ledger;
  readonly #mirrors = new Map<string, StoreMirror>();
  readonly #troubles = new Map<string, Trouble>();
  readonly #followed = new Map<string, Promise<void>>();

  constructor(options: FileSyncOptions) {
    const { client, paths, store, name, statusFile } = options;
    this.#options = options;
    this.#files = new FileSet({ paths, store, except: statusFile?.path, now: Date.now });
    this.#ledger = new Ledger(client.store(LEDGER_STORE), name);
  }

  /**
   * Brings the stores to what the files say.
   *
   * @throws UndecodableFile, before anything is written; SkerryProblem and its like where Skerry refuses or is out of reach.
   */
  async bringOnce(): Promise<void> {
    const { signal, report, store } = this.#options;
    await this.#files.load();
    const merged = this.#merge();
    const stores = new Set([...(await this.#ledger.load(signal)), ...merged.stores.keys()]);
    if (store !== undefined) stores.add(store);
    for (const name of stores) await this.#bring(name, merged);
    report.inStep(stores.size);
    await this.#copyStatus();
  }

  /** Follows the files, after `bringOnce`, until the signal ends it. */
  async follow(): Promise<never> {
    const { signal, report } = this.#options;
    const watcher = new FolderWatcher();
    let merged = this.#merge();
    this.#followStatus();
    try {
      for (;;) {
        const isNew = watcher.follow(this.#files.folders);
        if (!isNew) await watcher.settle(this.#pause(), signal);
        const isChanged = await this.#files.refresh((reason) => report.skipped(reason));
        if (isChanged) {
          merged = this.#merge();
          for (const name of merged.stores.keys()) this.#mirrorOf(name);
          this.#troubles.clear();
        }
        for (const name of this.#mirrors.keys()) await this.#tryToBring(name, merged);
        this.#followStatus();
      }
    } finally {
      watcher.close();
      await Promise.all(this.#followed.values());
    }
  }

  /** Milliseconds until something is to be done, if nothing happens. */
  #pause(): number {
    const next = Math.min(...[...this.#troubles.values()].map(({ retryAt }) => retryAt - Date.now()));
    return Math.max(0, Math.min(LOOK_INTERVAL, next));
  }

  #merge(): MergedFiles {
    const merged = mergeFiles(this.#files.entries);
    this.#options.report.repeated(merged.repetitions);
    return merged;
  }

  async #bring(name: string, { stores }: MergedFiles): Promise<void> {
    const { signal, report } = this.#options;
    const applied = await this.#mirrorOf(name).bring(stores.get(name) ?? NOTHING, signal);
    if (applied !== undefined) report.applied(applied);
  }

  async #tryToBring(name: string, merged: MergedFiles): Promise<void> {
    const trouble = this.#troubles.get(name);
    if (trouble !== undefined && trouble.retryAt > Date.now()) return;
    try {
      await this.#bring(name, merged);
      this.#troubles.delete(name);
    } catch (error) {
      this.#options.signal.throwIfAborted();
      const failures = (trouble?.failures ?? 0) + 1;
      const pause =
        isPassing(error) || error instanceof AnotherSync ? backoff(failures, Math.random()) : undefined;
      this.#troubles.set(name, {
        failures,
        retryAt: pause === undefined ? Number.POSITIVE_INFINITY : Date.now() + pause,
      });
      this.#options.report.failed(name, error, pause === undefined ? undefined : pause / 1000);
    }
  }

  #mirrorOf(name: string): StoreMirror {
    const known = this.#mirrors.get(name);
    if (known !== undefined) return known;
    const mirror = new StoreMirror(this.#options.client.store(name), this.#ledger);
    this.#mirrors.set(name, mirror);
    return mirror;
  }

  async #copyStatus(): Promise<void> {
    const { client, statusFile, signal } = this.#options;
    if (statusFile === undefined) return;
    for (const name of this.#mirrors.keys()) await copyStatus(client, name, statusFile, signal);
  }

  /** Begins to follow the status of stores that are new. */
  #followStatus(): void {
    const { client, statusFile, signal, report } = this.#options;
    if (statusFile === undefined) return;
    for (const name of this.#mirrors.keys()) {
      if (this.#followed.has(name)) continue;
      const onFault = (error: unknown) => report.statusFault(name, error);
      const following = followStatus(client, name, statusFile, { signal, onFault }).catch(
        (error: unknown) => {
          if (!signal.aborted) onFault(error);
        },
      );
      this.#followed.set(name, following);
    }
  }
}
