import { AzureMonitorMetricExporter, AzureMonitorTraceExporter } from '@azure/monitor-opentelemetry-exporter';
import { AggregationTemporality } from '@opentelemetry/sdk-metrics';
import type { Exporter } from './exporter.ts';
import { createExporter } from './open-telemetry-exporter.ts';
import type { TelemetrySettings } from './telemetry-settings.ts';

/** Sends to Application Insights, which wants sums since what it was sent before (docs/decisions/0014). */
export async function createAzureMonitorExporter(
  connectionString: string,
  settings: TelemetrySettings,
): Promise<Exporter> {
  const options = {
    connectionString,
    // What could not be sent is dropped and counted; an instance may have no disk, and none that stays.
    disableOfflineStorage: true,
    ...(await credentialFor(settings.APPLICATIONINSIGHTS_AUTHENTICATION_STRING)),
  };
  return createExporter(settings, {
    spans: new AzureMonitorTraceExporter(options),
    metrics: new AzureMonitorMetricExporter(options),
    temporality: AggregationTemporality.DELTA,
  });
}

/** @param authentication `Authorization=AAD`, with `;ClientId=…` for an identity that is assigned by users, as the functions host takes it too. */
async function credentialFor(authentication: string | undefined) {
  if (authentication === undefined || !/(?:^|;)\s*Authorization\s*=\s*AAD/i.test(authentication)) {
    return {};
  }
  const { ManagedIdentityCredential } = await import('@azure/identity');
  const [, clientId] = /(?:^|;)\s*ClientId\s*=\s*([^;\s]+)/i.exec(authentication) ?? [];
  return { credential: new ManagedIdentityCredential(clientId === undefined ? {} : { clientId }) };
}
