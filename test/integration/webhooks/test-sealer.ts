import { randomBytes } from 'node:crypto';
import { Sealer } from '../../../shared/platform/sealer.ts';

export const testSecretKey = randomBytes(32);

/** One for all that a test starts over the same data. */
export const testSealer = new Sealer([testSecretKey]);
