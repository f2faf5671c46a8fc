import { statSync } from 'node:fs';
import packageJson from '../../../package.json' with { type: 'json' };

/** Put in place by the build (infra/build/bundle.ts). */
declare const SKERRY_REVISION: string | undefined;

/** What this code was built from, and when. */
export function buildFacts(): {
  readonly version: string;
  readonly revision: string;
  readonly builtAt: number;
} {
  return {
    version: packageJson.version,
    revision: typeof SKERRY_REVISION === 'string' ? SKERRY_REVISION : '',
    builtAt: statSync(import.meta.filename).mtimeMs,
  };
}
