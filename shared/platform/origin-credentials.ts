import { z } from 'zod';

/** By which one origin knows this program; never shown, and sent to no other origin. */
export interface Credential {
  readonly token?: string | undefined;
  /** `whsec_…`, by which what the origin is sent is signed (Standard Webhooks 1.0). */
  readonly secret?: string | undefined;
}

/** By origin, such as `https://vault.example.com`. */
export type OriginCredentials = ReadonlyMap<string, Credential>;

const credentialSchema = z
  .strictObject({
    token: z
      .string()
      .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
      .optional(),
    secret: z
      .string()
      .regex(/^whsec_[0-9A-Za-z+/]+={0,2}$/, 'must be whsec_ and base64')
      .optional(),
  })
  .refine(({ token, secret }) => token !== undefined || secret !== undefined, {
    error: 'must have a token or a secret',
  });

/** Reads credentials from a JSON object; its faults name origins at the most. */
export const originCredentialsSchema = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      // What JSON.parse says would quote the text.
      context.addIssue({ code: 'custom', message: 'must be a JSON object of origins' });
      return z.NEVER;
    }
  })
  .pipe(
    z.record(
      z.string().refine(isOrigin, { error: 'must be an origin, such as https://example.com' }),
      credentialSchema,
    ),
  )
  .transform((byOrigin): OriginCredentials => new Map(Object.entries(byOrigin)));

function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}
