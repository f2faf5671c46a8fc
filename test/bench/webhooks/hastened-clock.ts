import { type Clock, systemClock } from '../../../shared/platform/clock.ts';

/** True time that can be put forward, so that a wait of hours takes no time. */
export class HastenedClock implements Clock {
  #ahead = 0;

  now(): number {
    return systemClock.now() + this.#ahead;
  }

  async sleep(milliseconds: number): Promise<void> {
    await systemClock.sleep(milliseconds);
  }

  advanceTo(time: number): void {
    this.#ahead += Math.max(0, time - this.now());
  }
}
