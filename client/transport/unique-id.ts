/** 80 random bits in hexadecimal. `crypto.randomUUID` is missing on pages that came without TLS. */
export function uniqueId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
