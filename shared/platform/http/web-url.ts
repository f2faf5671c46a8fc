import { z } from 'zod';

/**
 * Of an address by http or https, in ASCII and without credentials. A pattern, so that a JSON Schema that is made of it refuses just what
 * this program does: what is called a URI differs from one program to the next.
 */
const WEB_URL =
  /^https?:\/\/(?:[0-9A-Za-z_][0-9A-Za-z_.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?(?:[/?#][!-~]*)?$/;

export const webUrlSchema = z.string().max(2_000).regex(WEB_URL, 'must be an http or https URL');
