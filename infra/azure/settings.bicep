metadata description = 'Settings of the app that a deployment passes on, each under its own name.'

@description('Settings of the app by name, as README.md describes them; what is empty keeps its default.')
@export()
type settings = {
  @description('Lets webhooks call http and private addresses.')
  SKERRY_WEBHOOK_ALLOW_PRIVATE: string?
  @description('Seconds that an endpoint has for its answer.')
  SKERRY_WEBHOOK_TIMEOUT_SECONDS: string?
  @description('Pauses between the attempts of one delivery.')
  SKERRY_WEBHOOK_RETRY_SECONDS: string?
  @description('Ports that endpoints may have.')
  SKERRY_WEBHOOK_PORTS: string?
  @description('Whether endpoints are asked before they are called.')
  SKERRY_WEBHOOK_CONSENT: string?
  @description('How far clocks may differ.')
  SKERRY_CLOCK_SKEW_MILLISECONDS: string?
  @description('How long an expired instance stays listed.')
  SKERRY_EXPIRED_GRACE_SECONDS: string?
  @description('Watches that a process holds at a time.')
  SKERRY_WATCH_MAX_HELD: string?
  @description('Watches that one caller may hold in a process.')
  SKERRY_WATCH_MAX_HELD_PER_CALLER: string?
  @description('Requests a second that one caller may send to a process.')
  SKERRY_RATE_LIMIT: string?
  @description('Subscriptions that one caller may make.')
  SKERRY_MAX_SUBSCRIPTIONS: string?
  @description('Newest changes that are kept of every scope.')
  SKERRY_RETENTION_CHANGES: string?
  @description('Days for which changes are kept.')
  SKERRY_RETENTION_DAYS: string?
  @description('How often the change feed is read.')
  SKERRY_FEED_POLL_MILLISECONDS: string?
  @description('When leases are swept, as NCRONTAB.')
  SKERRY_SWEEP_SCHEDULE: string?
  @description('Newest versions that are kept of every bundle.')
  SKERRY_BUNDLE_RETENTION_VERSIONS: string?
  @description('Days for which versions of bundles are kept.')
  SKERRY_BUNDLE_RETENTION_DAYS: string?
  @description('When bundles are cleaned up, as NCRONTAB.')
  SKERRY_BUNDLE_CLEANUP_SCHEDULE: string?
  @description('How often status endpoints of environments are asked.')
  SKERRY_STATUS_SECONDS: string?
  @description('How long after its deployment an environment may be unhealthy.')
  SKERRY_VALIDATION_SECONDS: string?
  @description('How long before its planned destruction an environment says so.')
  SKERRY_DESTRUCTION_WARNING_HOURS: string?
  @description('Steps of an operation that are under way at a time.')
  SKERRY_STEPS_AT_ONCE: string?
  @description('How long an executor has for one attempt of a step.')
  SKERRY_STEP_TIMEOUT_SECONDS: string?
  @description('Pauses between the attempts of a step.')
  SKERRY_STEP_RETRY_SECONDS: string?
  @description('How long the sweep lets an operation be that is under way.')
  SKERRY_OPERATION_CHECK_SECONDS: string?
  @description('How long operations are kept after their end.')
  SKERRY_OPERATION_RETENTION_DAYS: string?
  @description('A collector that gets telemetry as well, by OTLP over HTTP.')
  OTEL_EXPORTER_OTLP_ENDPOINT: string?
  @description('What the app is called in telemetry.')
  OTEL_SERVICE_NAME: string?
  @description('Milliseconds between two exports of spans.')
  OTEL_BSP_SCHEDULE_DELAY: string?
  @description('Milliseconds between two exports of metrics.')
  OTEL_METRIC_EXPORT_INTERVAL: string?
}
