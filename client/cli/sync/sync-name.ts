import { createHash } from 'node:crypto';
import { hostname } from 'node:os';

/**
 * The name of a sync whose user gave none: it stays the same on this machine for these paths, and no other machine's is the same, so
 * that none deletes what another has put.
 *
 * @param paths absolute.
 */
export function defaultSyncName(
  paths: readonly string[],
  store: string | undefined,
  host = hostname(),
): string {
  const facts = JSON.stringify([host, [...paths].sort(), store ?? null]);
  const digest = createHash('sha256').update(facts).digest('hex').slice(0, 12);
  return `${host.replace(/[^0-9A-Za-z._-]/g, '-').slice(0, 60)}-${digest}`;
}
