import { CROCKFORD, type Random } from './random.ts';

const TIME_CHARACTERS = 10;
const RANDOM_CHARACTERS = 16;
const ULID = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;

/** An id of 26 characters that sorts by the time it was made at (github.com/ulid/spec), in lower case, and is not to be guessed. */
export function createUlid(now: number, random: Random): string {
  let time = '';
  for (let rest = now; time.length < TIME_CHARACTERS; rest = Math.floor(rest / 32)) {
    time = CROCKFORD.charAt(rest % 32) + time;
  }
  return time + random.id().slice(0, RANDOM_CHARACTERS);
}

/** When an id was made, in milliseconds since the Unix epoch; undefined for what is none. */
export function timeOfUlid(id: string): number | undefined {
  return ULID.test(id)
    ? [...id.slice(0, TIME_CHARACTERS)].reduce((time, digit) => 32 * time + CROCKFORD.indexOf(digit), 0)
    : undefined;
}
