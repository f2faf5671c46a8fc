import { AccessDirectory, Callers, createAccessControl, LegacyAccess } from '../shared/access/index.ts';
import type { Clock } from '../shared/platform/clock.ts';
import type { AccessControl, CallerOf } from '../shared/platform/http/index.ts';
import { isOpenToAll, type Settings } from '../shared/platform/settings.ts';
import type { Records } from '../shared/records/index.ts';
import type { Makers } from './lazily.ts';

/** What handlers and triggers work with, of access. */
export interface AccessServices {
  readonly access: AccessControl;
  readonly callers: Callers;
  readonly callerOf: CallerOf;
}

/** With what only other services work with. */
export interface AccessParts extends AccessServices {
  readonly accessDirectory: AccessDirectory;
  readonly legacyAccess: LegacyAccess;
}

/** What they are made of. */
interface Foundation {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly records: Records;
}

/** How the services of access are made; where everybody may do everything, storage is never asked. */
export function accessServices(): Makers<AccessParts, AccessParts & Foundation> {
  return {
    accessDirectory: ({ records, clock }) => new AccessDirectory({ records, clock }),
    legacyAccess: ({ settings }) => new LegacyAccess(settings.SKERRY_LEGACY_ACCESS),
    callers: ({ settings, accessDirectory, legacyAccess, clock }) =>
      new Callers({
        directory: accessDirectory,
        clock,
        isOpen: isOpenToAll(settings),
        bootstrapSha256: settings.SKERRY_BOOTSTRAP_TOKEN_SHA256,
        legacy: legacyAccess,
      }),
    callerOf:
      ({ callers }) =>
      (maker) =>
        callers.of(maker),
    access: ({ settings, callers, legacyAccess }) =>
      createAccessControl({ isOpen: isOpenToAll(settings), callers, legacy: legacyAccess }),
  };
}
