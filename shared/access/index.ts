/**
 * Who may do what: callers and how they are known, roles, tokens. Start reading at `access-control.ts`; `policy/` is what roles
 * allow, `tokens/` Skerry's own tokens, `access-snapshot.ts` what follows from both for each caller.
 */
export { createAccessControl } from './access-control.ts';
export { AccessDirectory } from './access-directory.ts';
export { AccessSnapshot } from './access-snapshot.ts';
export { Callers } from './callers.ts';
export { EntraTokens } from './entra/entra-tokens.ts';
export { LegacyAccess } from './legacy-access.ts';
export { bindingSchema, namespacesSchema, roleInputSchema } from './policy/role.ts';
export { type RoleEntry, Roles, unknownRole } from './roles.ts';
export { LastUses } from './tokens/last-uses.ts';
export { Tokens, unknownToken } from './tokens/tokens.ts';
