/** What is wrong with a request that claims to be a webhook. */
export type VerificationFailure =
  | 'missing-header'
  | 'malformed'
  | 'timestamp-too-old'
  | 'timestamp-too-new'
  | 'no-matching-signature';

/** The request is no webhook that can be trusted: answer it with 401 and do nothing. The message says what to check. */
export class WebhookVerificationError extends Error {
  override readonly name: string = 'WebhookVerificationError';
  readonly code: VerificationFailure;

  constructor(code: VerificationFailure, message: string) {
    super(message);
    this.code = code;
  }
}
