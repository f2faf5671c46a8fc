import { isTelemetryOn, Telemetry, type TelemetrySettings } from '../shared/platform/telemetry/index.ts';

/** Begins to send what this process records to where the settings say; undefined where they say nothing, and then it costs nothing. */
export function startTelemetry(settings: TelemetrySettings): Telemetry | undefined {
  if (!isTelemetryOn(settings)) return undefined;
  const telemetry = new Telemetry(settings);
  telemetry.start();
  return telemetry;
}
