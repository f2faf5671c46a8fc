import { createHash } from 'node:crypto';
import { toBase32 } from '../platform/random.ts';

const ID_CHARACTERS = 26;

/**
 * The operation of a command: who sends the command can tell it beforehand, and the same command is the same operation.
 *
 * @returns `op_` and the first 26 characters of the SHA-256, in Crockford's base 32 (lower case), of namespace, source and id, each but the last followed by a line feed.
 */
export function operationIdOf(ns: string, source: string, id: string): string {
  const hash = createHash('sha256').update(`${ns}\n${source}\n${id}`).digest();
  return `op_${toBase32(hash).slice(0, ID_CHARACTERS)}`;
}
