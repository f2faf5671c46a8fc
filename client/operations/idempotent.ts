import type { CallOptions } from '../transport/transport.ts';
import { uniqueId } from '../transport/unique-id.ts';

export interface CommandOptions extends CallOptions {
  /** Names the command: sent again with the same, it is done once. A new one unless told, so that the retries of one call do it once. */
  readonly idempotencyKey?: string | undefined;
}

/** The header by which a repeated request is known. */
export function idempotent(key: string = uniqueId()): Record<string, string> {
  return { 'idempotency-key': key };
}
