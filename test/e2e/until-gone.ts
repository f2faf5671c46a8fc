/** Skerry ends, or nothing is left to do before it does. */
export class Gone extends Error {}

/** Works until Skerry is gone. */
export async function untilGone(work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await work();
    } catch (error) {
      if (error instanceof Gone || isLostConnection(error)) {
        return;
      }
      throw error;
    }
  }
}

function isLostConnection(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(ECONN|EPIPE)/.test(String(error.code));
}
