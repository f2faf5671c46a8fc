import { z } from 'zod';

/**
 * Of an address by http or https, without credentials. A pattern, so that a JSON Schema that is made of it refuses just what this program
 * does: what is called a URI differs from one program to the next. Says nothing of whether the port is one.
 */
const WEB_URL =
  /^[Hh][Tt][Tt][Pp][Ss]?:\/\/(?:[0-9A-Za-z_][0-9A-Za-z_.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?(?:[/?#]\S*)?$/;

export const webUrlSchema = z
  .string()
  .max(2_000)
  .regex(WEB_URL, 'must be an http or https URL without a user in it');

export function isWebUrl(text: string): boolean {
  return WEB_URL.test(text) && URL.canParse(text);
}
