/** Who may do what: callers and how they are known, roles, tokens. */
export { type AccessSettings, createAccessControl, createCallerOf } from './access-control.ts';
