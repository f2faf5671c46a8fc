/** One POST to an endpoint. */
export interface WebhookRequest {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
