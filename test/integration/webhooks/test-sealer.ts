import { randomBytes } from 'node:crypto';
import { Sealer } from '../../../shared/platform/sealer.ts';

/** One for all that a test starts over the same data. */
export const testSealer = new Sealer([randomBytes(32)]);
