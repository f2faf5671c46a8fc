import { UsageError } from './usage-error.ts';

/** @returns undefined for anything but a whole number from 0 on. */
export function parseWholeNumber(text: string): number | undefined {
  const number = Number(text);
  return /^\d+$/.test(text) && Number.isSafeInteger(number) ? number : undefined;
}

/** @throws UsageError that names what was meant. */
export function wholeNumber(text: string, what: string): number {
  const number = parseWholeNumber(text);
  if (number === undefined) throw new UsageError(`${what} takes a whole number, 0 or more, not "${text}".`);
  return number;
}
