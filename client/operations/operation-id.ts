const CROCKFORD = '0123456789abcdefghjkmnpqrstvwxyz';
const LENGTH = 26;

/**
 * The id of the operation that a command becomes: `op_` and the first 26 characters of the SHA-256 of its namespace, source and id, a
 * line each, in Crockford's base 32.
 */
export async function operationIdOf(ns: string, source: string, id: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`${ns}\n${source}\n${id}`));
  const bits = Array.from(new Uint8Array(digest), (byte) => byte.toString(2).padStart(8, '0')).join('');
  const digits = Array.from({ length: LENGTH }, (_, index) => {
    return CROCKFORD[Number.parseInt(bits.slice(index * 5, index * 5 + 5), 2)];
  });
  return `op_${digits.join('')}`;
}
