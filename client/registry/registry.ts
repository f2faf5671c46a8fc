import type { Timing } from '../transport/timing.ts';
import { type AnnouncedInstance, Announcement, type AnnounceOptions } from './announcement.ts';
import type { Services } from './services.ts';

/** Where instances announce themselves. */
export class Registry {
  readonly #services: Services;
  readonly #timing: Timing;

  constructor(services: Services, timing: Timing) {
    this.#services = services;
    this.#timing = timing;
  }

  /** Registers an instance, and keeps it registered until the announcement is closed. */
  announce(instance: AnnouncedInstance, options: AnnounceOptions = {}): Announcement {
    return new Announcement(instance, options, this.#services, this.#timing);
  }
}
