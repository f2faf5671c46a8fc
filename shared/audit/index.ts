/** What happened, who did it, and who was not let: read from the changes of all scopes (`audit.ts`), to which refusals are added (`refusals.ts`). */
export { Audit, type AuditEntry, type AuditFilter, type AuditPage } from './audit.ts';
export { RefusalLog } from './refusals.ts';
