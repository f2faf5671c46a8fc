import { type FSWatcher, watch } from 'node:fs';
import path from 'node:path';
import type { FoundFolder } from './find-files.ts';

/** Milliseconds without an event after which a burst of them is over: editors write, rename and remove in quick succession. */
const QUIET = 100;
/** Milliseconds after which even an unending burst is looked at. */
const LONGEST_BURST = 1000;

/** Tells when something happened in folders. Events are hints: shared folders and mounts lose some, so look again without them too. */
export class FolderWatcher {
  readonly #watchers = new Map<string, { readonly found: FoundFolder; readonly watcher: FSWatcher }>();
  #firstEventAt: number | undefined;
  #quietTimer: NodeJS.Timeout | undefined;
  #isSettled = false;
  #wake: () => void = () => {};

  /**
   * Watches exactly these folders from now on.
   *
   * @returns whether some were not watched before: what happened in them meanwhile was missed.
   */
  follow(folders: ReadonlyMap<string, FoundFolder>): boolean {
    for (const [folder, { found }] of this.#watchers) {
      const now = folders.get(folder);
      if (now?.identity !== found.identity || isOther(now.names, found.names)) this.#drop(folder);
    }
    let isNew = false;
    for (const [folder, found] of folders) {
      if (this.#watchers.has(folder)) continue;
      isNew = this.#add(folder, found) || isNew;
    }
    return isNew;
  }

  /** Waits until something happened and it is quiet again, or for so many milliseconds. */
  async settle(milliseconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#isSettled) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        signal.addEventListener('abort', wake, { once: true });
        this.#wake = wake;

        function wake(): void {
          clearTimeout(timer);
          signal.removeEventListener('abort', wake);
          resolve();
        }
      });
    }
    this.#isSettled = false;
    signal.throwIfAborted();
  }

  close(): void {
    clearTimeout(this.#quietTimer);
    for (const folder of [...this.#watchers.keys()]) this.#drop(folder);
  }

  #add(folder: string, found: FoundFolder): boolean {
    try {
      const watcher = watch(folder, (_, name) => {
        // Its own name stands for the folder itself: it was moved or removed, and another may come in its place.
        if (name === path.basename(folder)) this.#drop(folder);
        else if (name !== null && found.names?.has(name) === false) return;
        this.#noteEvent();
      });
      watcher.on('error', () => {
        this.#drop(folder);
        this.#noteEvent();
      });
      this.#watchers.set(folder, { found, watcher });
      return true;
    } catch {
      // It is gone again, or the system has no more watchers to give: the next look finds what happens there.
      return false;
    }
  }

  #drop(folder: string): void {
    this.#watchers.get(folder)?.watcher.close();
    this.#watchers.delete(folder);
  }

  #noteEvent(): void {
    const now = Date.now();
    this.#firstEventAt ??= now;
    clearTimeout(this.#quietTimer);
    const left = Math.max(0, this.#firstEventAt + LONGEST_BURST - now);
    this.#quietTimer = setTimeout(
      () => {
        this.#firstEventAt = undefined;
        this.#isSettled = true;
        this.#wake();
      },
      Math.min(QUIET, left),
    );
  }
}

function isOther(some: ReadonlySet<string> | undefined, others: ReadonlySet<string> | undefined): boolean {
  return JSON.stringify([...(some ?? [])]) !== JSON.stringify([...(others ?? [])]);
}
