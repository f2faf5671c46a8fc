import {
  AccessDirectory,
  Callers,
  createAccessControl,
  EntraTokens,
  LastUses,
  LegacyAccess,
  Roles,
  Tokens,
} from '../shared/access/index.ts';
import type { Clock } from '../shared/platform/clock.ts';
import type { AccessControl, CallerOf } from '../shared/platform/http/index.ts';
import { isOpenToAll, type Settings } from '../shared/platform/settings.ts';
import type { Leases, Records } from '../shared/records/index.ts';
import type { Makers } from './lazily.ts';

/** What handlers and triggers work with, of access. */
export interface AccessServices {
  readonly access: AccessControl;
  readonly callers: Callers;
  readonly callerOf: CallerOf;
  readonly roles: Roles;
  readonly tokens: Tokens;
}

/** With what only other services work with. */
export interface AccessParts extends AccessServices {
  readonly accessDirectory: AccessDirectory;
  readonly legacyAccess: LegacyAccess;
  readonly lastUses: LastUses;
  /** Undefined where none are accepted. */
  readonly entraTokens: EntraTokens | undefined;
}

/** What they are made of. */
interface Foundation {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly records: Records;
  readonly leases: Leases;
}

/** How the services of access are made; where everybody may do everything, storage is never asked. */
export function accessServices(): Makers<AccessParts, AccessParts & Foundation> {
  return {
    accessDirectory: ({ records, clock }) => new AccessDirectory({ records, clock }),
    legacyAccess: ({ settings }) => new LegacyAccess(settings.SKERRY_LEGACY_ACCESS),
    lastUses: ({ leases, clock }) => new LastUses(leases, clock),
    roles: ({ records }) => new Roles(records),
    tokens: ({ records, roles, lastUses, clock }) => new Tokens({ records, roles, lastUses, clock }),
    callers: ({ settings, accessDirectory, legacyAccess, lastUses, clock }) =>
      new Callers({
        directory: accessDirectory,
        clock,
        isOpen: isOpenToAll(settings),
        bootstrapSha256: settings.SKERRY_BOOTSTRAP_TOKEN_SHA256,
        legacy: legacyAccess,
        lastUses,
      }),
    callerOf:
      ({ callers }) =>
      (maker) =>
        callers.of(maker),
    entraTokens: ({ settings, clock }) => entraTokens(settings, clock),
    access: ({ settings, callers, legacyAccess, entraTokens }) =>
      createAccessControl({
        isOpen: isOpenToAll(settings),
        callers,
        legacy: legacyAccess,
        entraTokens,
        easyAuthTenant: settings.WEBSITE_AUTH_ENABLED ? settings.SKERRY_ENTRA_TENANT : undefined,
      }),
  };
}

function entraTokens(settings: Settings, clock: Clock): EntraTokens | undefined {
  const { SKERRY_ENTRA_TENANT: tenant, SKERRY_ENTRA_AUDIENCE: audiences } = settings;
  return tenant === undefined || audiences.length === 0
    ? undefined
    : new EntraTokens({ tenant, audiences, authority: settings.SKERRY_ENTRA_AUTHORITY, clock });
}
