import { type CallerOf, unrestricted } from '../../shared/platform/http/index.ts';

/** As where access is not controlled: whoever had something made may do everything. */
export const anyMaker: CallerOf = async ({ actor }) => unrestricted(actor);
