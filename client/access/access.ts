import type { CallOptions, Transport } from '../transport/transport.ts';

/** What somebody may do to keys; `reveal` is to see secrets. */
export type Verb = 'read' | 'list' | 'watch' | 'write' | 'delete' | 'admin' | 'reveal';

/** Something that is allowed: these verbs on all keys that one of the patterns covers, in these namespaces. */
export interface AccessRule {
  readonly verbs: readonly Verb[];
  /** Each covers the key that it names and all below: `*` is any text in a segment, `**` any number of segments, `/` everything. */
  readonly keys: readonly string[];
  /** Names, or globs with `*`. */
  readonly ns: readonly string[];
}

/** Who calls, and what they may do. */
export interface Caller {
  /** As changes record it, such as `token:tok_…` or `user:OID`. */
  readonly actor: string;
  /** As `ROLE` or `ROLE:SERVICE`. */
  readonly roles: readonly string[];
  /** What these allow together. */
  readonly allow: readonly AccessRule[];
  /** Narrows all of that to these namespaces. */
  readonly ns: readonly string[];
  /** RFC 3339. */
  readonly expiresAt?: string;
}

export async function getCaller(transport: Transport, { signal }: CallOptions = {}): Promise<Caller> {
  return await transport.json<Caller>({ path: 'whoami', isUncached: true, signal });
}
