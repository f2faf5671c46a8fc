import type { Json } from '../store/content.ts';

/** Whether a configuration has a secret that is not sealed. */
export function hasSecretInClear(config: Json): boolean {
  return secretsOf(config).some((secret) => !isSealed(secret));
}

/** Whether a configuration has any secret of its own; what Key Vault holds is none. */
export function hasSecret(config: Json): boolean {
  return secretsOf(config).length > 0;
}

/** Whether a value is an object with members. */
export function hasMembers(value: Json | undefined): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function secretsOf(value: Json | undefined): Json[] {
  if (typeof value !== 'object' || value === null) return [];
  if (hasMembers(value) && value.$secret !== undefined) return [value.$secret];
  return Object.values(value).flatMap(secretsOf);
}

function isSealed(secret: Json): boolean {
  return hasMembers(secret) && typeof secret.sealed === 'string';
}
