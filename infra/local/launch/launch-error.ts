/** What keeps the embedded cloud from starting, in a sentence for the person who started it; no stack is shown. */
export class LaunchError extends Error {
  override readonly name = 'LaunchError';
}
