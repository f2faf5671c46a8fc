/** What happened, who did it, who was not let, and who saw secrets: read from the changes of all scopes (`audit.ts`), to which refusals and reveals are added (`access-log.ts`). */
export { ACCESS_KINDS, AccessLog } from './access-log.ts';
export { Audit, type AuditEntry, type AuditFilter, type AuditPage } from './audit.ts';
