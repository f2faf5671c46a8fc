import { roleEndpoints } from './roles.ts';
import { tokenEndpoints } from './tokens.ts';
import { callerEndpoints } from './whoami.ts';

/** Callers, roles and tokens. */
export const accessEndpoints = [...tokenEndpoints, ...roleEndpoints, ...callerEndpoints];
