import type { Plugin } from '@azure/cosmos';
import { COSMOS_STATUS, cosmosStatusOf } from './ask-cosmos.ts';
import { metrics } from './telemetry/index.ts';

interface Answer {
  readonly code?: unknown;
  readonly headers?: Readonly<Record<string, unknown>>;
}

/** What is asked about documents names their container. */
const CONTAINER = /(?:^|\/)colls\/([^/]+)/;

/**
 * Counts every request to Cosmos DB with what it was charged, those that the SDK repeats by itself and those that fail among them. Plugins
 * are an undocumented option of the SDK, the only one that sees every answer.
 */
export const cosmosMeter: { readonly on: 'request'; readonly plugin: Plugin<unknown> } = {
  on: 'request',
  async plugin(context, _diagnostics, next) {
    const { operationType, resourceType, path } = context;
    // Requests for the account and for partitions are the SDK's own.
    const operation = String(resourceType) === 'docs' ? String(operationType ?? 'unknown') : 'metadata';
    const container = CONTAINER.exec(path ?? '')?.[1] ?? 'none';
    const startedAt = performance.now();
    const count = (answer: Answer, status: number) => {
      metrics.cosmosRequests.add({ operation, container, status: String(status) });
      metrics.cosmosDuration.record({ operation }, (performance.now() - startedAt) / 1000);
      const charge = Number(answer.headers?.['x-ms-request-charge'] ?? 0);
      if (charge > 0) metrics.cosmosRequestUnits.add({ operation, container }, charge);
      if (status === COSMOS_STATUS.throttled) metrics.cosmosThrottled.add({ container });
    };
    try {
      const answer = await next(context);
      count(answer, answer.code ?? 200);
      return answer;
    } catch (error) {
      count(error as Answer, cosmosStatusOf(error) ?? 0);
      throw error;
    }
  },
};
