import type { Clock } from '../shared/platform/clock.ts';
import { systemClock } from '../shared/platform/clock.ts';
import { type Random, systemRandom } from '../shared/platform/random.ts';
import { readSettings, type Settings } from '../shared/platform/settings.ts';

/** What handlers work with. Every member is made at its first use, so that nothing connects at import. */
export interface Services {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
}

let shared: Services | undefined;

/** The services of this process. */
export function services(): Services {
  shared ??= createServices(readSettings(process.env));
  return shared;
}

/** Composes the services from settings. */
export function createServices(settings: Settings): Services {
  return { settings, clock: systemClock, random: systemRandom };
}
