/** What is shorter stands in any text, and is no secret. */
const MIN_SECRET_CHARACTERS = 4;
const HIDDEN = '…';

/**
 * The text without what must not be shown: endpoints that explain a failure like to repeat what they were sent, and what they
 * answer is kept for more people to see than may know the headers of a subscription.
 *
 * @param secrets values of headers; what follows the last space, such as the token behind `Bearer`, is one too.
 * @param isCut whether the text may go on, so that it may end in the midst of one.
 */
export function hideSecrets(text: string, secrets: readonly string[], isCut: boolean): string {
  const hidden = secrets
    .flatMap((secret) => [secret, secret.slice(secret.lastIndexOf(' ') + 1)])
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
    .filter(({ length }) => length >= MIN_SECRET_CHARACTERS)
    .sort((one, other) => other.length - one.length);
  const shown = hidden.reduce((rest, secret) => rest.replaceAll(secret, HIDDEN), text);
  const begun = isCut ? Math.max(0, ...hidden.map((secret) => endInCommon(shown, secret))) : 0;
  return begun === 0 ? shown : shown.slice(0, -begun) + HIDDEN;
}

/** How many characters at the end of a text may be the beginning of a secret. */
function endInCommon(text: string, secret: string): number {
  for (let length = Math.min(secret.length - 1, text.length); length >= MIN_SECRET_CHARACTERS; length -= 1) {
    if (text.endsWith(secret.slice(0, length))) {
      return length;
    }
  }
  return 0;
}
