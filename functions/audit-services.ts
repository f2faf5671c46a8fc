import type { Container } from '@azure/cosmos';
import { AccessLog, Audit } from '../shared/audit/index.ts';
import type { Clock } from '../shared/platform/clock.ts';
import type { Records } from '../shared/records/index.ts';
import type { Makers } from './lazily.ts';

/** What handlers work with, of what happened, and of who was refused or shown what. */
export interface AuditServices {
  readonly audit: Audit;
  readonly accessLog: AccessLog;
}

/** What they are made of. */
interface Foundation {
  readonly clock: Clock;
  readonly records: Records;
  readonly recordsContainer: Container;
}

/** How the services of the audit are made. */
export function auditServices(): Makers<AuditServices, AuditServices & Foundation> {
  return {
    audit: ({ recordsContainer, clock }) => new Audit(recordsContainer, clock),
    accessLog: ({ records, clock }) => new AccessLog({ records, clock }),
  };
}
