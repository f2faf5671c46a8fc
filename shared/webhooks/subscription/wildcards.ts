/**
 * Whether a pattern covers a sequence as a whole. A wildcard stands for any number of items, none included. The last wildcard alone
 * is ever taken up again, which is enough, so that time grows with the product of both lengths at worst.
 */
export function matchesWildcards<Token>(
  pattern: ArrayLike<Token>,
  sequence: ArrayLike<Token>,
  wildcard: Token,
  fits: (token: Token, item: Token) => boolean,
): boolean {
  let at = 0;
  let next = 0;
  let lastWildcard = -1;
  let resumeAt = 0;
  while (at < sequence.length) {
    if (next < pattern.length && pattern[next] === wildcard) {
      lastWildcard = next;
      resumeAt = at;
      next += 1;
    } else if (next < pattern.length && fits(pattern[next] as Token, sequence[at] as Token)) {
      next += 1;
      at += 1;
    } else if (lastWildcard >= 0) {
      resumeAt += 1;
      at = resumeAt;
      next = lastWildcard + 1;
    } else {
      return false;
    }
  }
  while (next < pattern.length && pattern[next] === wildcard) {
    next += 1;
  }
  return next === pattern.length;
}
