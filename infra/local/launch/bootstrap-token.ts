import { createHash, randomBytes } from 'node:crypto';

/** A new token in the form of Skerry's own, and the setting by which an app knows it. */
export function newBootstrapToken(): { readonly token: string; readonly sha256: string } {
  const token = `skt_${randomBytes(32).toString('base64url')}`;
  return { token, sha256: createHash('sha256').update(token).digest('hex') };
}
