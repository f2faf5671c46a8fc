/** Milliseconds that closing may take: whoever sent the signal does not wait for ever either. */
const LONGEST = 5_000;
const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;

/**
 * Closes resources, such as announcements and leaderships, when the process is told to end (SIGINT, SIGTERM), and ends it then, as a
 * signal would, after 5 s at the latest; a second signal ends it at once.
 *
 * @returns what undoes it.
 */
export function closeOnExit(...resources: readonly AsyncDisposable[]): () => void {
  const listeners = Object.entries(SIGNALS).map(([name, number]) => {
    const listener = () => {
      undo();
      setTimeout(() => process.exit(128 + number), LONGEST);
      void closeAll(resources).finally(() => process.exit(128 + number));
    };
    process.once(name, listener);
    return { name, listener };
  });
  return undo;

  function undo(): void {
    for (const { name, listener } of listeners) process.off(name, listener);
  }
}

/** All of them, even where one fails. */
async function closeAll(resources: readonly AsyncDisposable[]): Promise<void> {
  await Promise.allSettled(resources.map(async (resource) => await resource[Symbol.asyncDispose]()));
}
