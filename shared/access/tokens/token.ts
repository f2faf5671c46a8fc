import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { toTimestamp } from '../../platform/clock.ts';
import type { StoredRecord } from '../../records/index.ts';
import { TOKENS } from '../access-scope.ts';

/** What is stored of a token; its text is not. */
export interface TokenValue {
  readonly name: string;
  /** Bindings, such as `agent:web`. */
  readonly roles: readonly string[];
  /** Narrows what its roles allow to these namespaces: names or globs. */
  readonly ns: readonly string[];
  /** Of its text, in hex. */
  readonly sha256: string;
  readonly createdBy: string;
}

/** A token as its API shows it. */
export interface Token extends Omit<TokenValue, 'sha256'> {
  readonly id: string;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  /** When it stops working; absent where it does not. */
  readonly expiresAt?: string;
}

const PATTERN = /^skt_[0-9A-Za-z_-]{43}$/;
const BYTES = 32;
const ID_DIGITS = 16;

/** A new text, which nobody can guess. */
export function newTokenText(): string {
  return `skt_${randomBytes(BYTES).toString('base64url')}`;
}

export function isTokenText(text: string): boolean {
  return PATTERN.test(text);
}

export function digestOfToken(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

/** Follows from the digest, so that a token is found by its text. */
export function tokenIdOf(digest: Buffer): string {
  return `tok_${digest.toString('hex').slice(0, ID_DIGITS)}`;
}

/** In a time that tells nothing about where they differ. */
export function isDigest(digest: Buffer, hex: string): boolean {
  const expected = Buffer.from(hex, 'hex');
  return expected.length === digest.length && timingSafeEqual(digest, expected);
}

export function toToken({ key, value, createdAt, expiresAt }: StoredRecord<TokenValue>): Token {
  const { sha256: _, ...shown } = value;
  return {
    id: key.slice(TOKENS.length + 1),
    ...shown,
    createdAt,
    ...(expiresAt !== undefined && { expiresAt: toTimestamp(expiresAt) }),
  };
}
