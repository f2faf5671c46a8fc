import { BUNDLE_LIMITS } from '../../../shared/bundles/index.ts';
import { BodyBudget, rawContent } from '../../../shared/platform/http/index.ts';

/** Of all uploads to bundles that a process takes in at a time. Each comes to about four times its size on its way, and the memory of a small instance is 512 MB. */
const HELD_BYTES = 100 * 1024 * 1024;

/** The body of endpoints that take the content of bundles. */
export const uploadBody = rawContent(BUNDLE_LIMITS.bodyBytes, {
  budget: new BodyBudget(HELD_BYTES),
  fix: 'Start a draft, and upload a zip to the address that the answer gives: there it may be larger.',
});
