import { BUNDLE_LIMITS } from '../../../shared/bundles/index.ts';
import { rawContent } from '../../../shared/platform/http/index.ts';
import { MemoryGate } from '../../../shared/platform/memory-gate.ts';

/** Of all uploads to bundles that a process takes in at a time. Each comes to about four times its size on its way, and the memory of a small instance is 512 MB. */
const HELD_BYTES = 100 * 1024 * 1024;

/** The body of endpoints that take the content of bundles. */
export const uploadBody = rawContent(BUNDLE_LIMITS.bodyBytes, {
  gate: new MemoryGate({
    maxBytes: HELD_BYTES,
    // Nobody waits: what is not read yet stands in the buffers of connections meanwhile.
    patience: 0,
    refusal: 'Too much is being uploaded here at the moment.',
    refusalDetails: {
      fix: 'Send it again a little later, and with its Content-Length: without one it counts as the largest.',
    },
  }),
  fix: 'Start a draft, and upload a zip to the address that the answer gives: there it may be larger.',
});
