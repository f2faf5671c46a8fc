/** One POST to an endpoint. */
export interface WebhookRequest {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** What of the headers nobody may be shown, should the endpoint repeat it. */
  readonly secrets?: readonly string[];
}
