/** Bytes in a second that the slowest line is taken for. */
const SLOWEST = 256 * 1024;
/** Milliseconds in which everything else is done. */
const REST = 30_000;

/** How long a body may be on its way, and be worked on, before it is sent once more: in milliseconds. */
export function transferTime(bytes: number): { readonly attemptTimeout: number; readonly timeout: number } {
  const attemptTimeout = REST + Math.ceil((bytes / SLOWEST) * 1000);
  return { attemptTimeout, timeout: 2 * attemptTimeout };
}
