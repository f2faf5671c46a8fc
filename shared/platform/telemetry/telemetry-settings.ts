import type { Settings } from '../settings.ts';

/** The settings that say where telemetry goes; the exporters read further ones of OpenTelemetry's own, such as OTEL_EXPORTER_OTLP_HEADERS. */
export type TelemetrySettings = Pick<
  Settings,
  | 'APPLICATIONINSIGHTS_CONNECTION_STRING'
  | 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'
  | 'OTEL_EXPORTER_OTLP_ENDPOINT'
  | 'OTEL_SERVICE_NAME'
  | 'OTEL_BSP_SCHEDULE_DELAY'
  | 'OTEL_METRIC_EXPORT_INTERVAL'
  | 'WEBSITE_SITE_NAME'
>;
