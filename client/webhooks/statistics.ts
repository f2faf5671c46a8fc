/** How the deliveries of a subscription go. */
export interface EndpointStatistics {
  readonly [name: string]: unknown;
}
