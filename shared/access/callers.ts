import { type Clock, toTimestamp } from '../platform/clock.ts';
import {
  ANONYMOUS,
  actorAt,
  addressOf,
  type Caller,
  isSystem,
  type Maker,
  nobody,
  unrestricted,
} from '../platform/http/index.ts';
import type { AccessDirectory } from './access-directory.ts';
import type { LegacyAccess } from './legacy-access.ts';
import { Rights, type Rule } from './policy/rights.ts';
import { BUILT_IN_ROLES, parseBinding } from './policy/role.ts';
import type { LastUses } from './tokens/last-uses.ts';
import { digestOfToken, isDigest, isTokenText, tokenIdOf } from './tokens/token.ts';

/** The token of an app's first days, which stands in its settings alone. */
const BOOTSTRAP = 'token:bootstrap';

export interface CallersOptions {
  readonly directory: Pick<AccessDirectory, 'current'>;
  readonly clock: Clock;
  /** Whether everybody may do everything, as on a laptop. */
  readonly isOpen: boolean;
  /** SHA-256 in hex; undefined where there is no bootstrap token. */
  readonly bootstrapSha256: string | undefined;
  readonly legacy: LegacyAccess;
  readonly lastUses: Pick<LastUses, 'note'>;
}

/** Who is known by claims that somebody else vouches for. */
export interface Claims {
  /** `user:OID` or `app:APPID`. */
  readonly actor: string;
  readonly roles: readonly string[];
  /** Ids. */
  readonly groups: readonly string[];
}

/** What a caller has, as it is told to them. */
export interface CallerRights {
  readonly roles: readonly string[];
  readonly allow: readonly Rule[];
  /** Narrows all of them. */
  readonly ns: readonly string[];
  /** RFC 3339, UTC; of a token that ends. */
  readonly expiresAt?: string;
}

/** Who may do what now. All methods throw SkerryError `unavailable` when the database does not answer. */
export class Callers {
  readonly #options: CallersOptions;

  constructor(options: CallersOptions) {
    this.#options = options;
  }

  /** What somebody may do now who had something made before; nothing, where they are not known any more. */
  async of(maker: Maker): Promise<Caller> {
    const { directory, clock, isOpen, legacy } = this.#options;
    const { actor } = maker;
    if (isOpen || isSystem(maker)) {
      return unrestricted(actor);
    }
    if (actor === BOOTSTRAP) {
      return this.#options.bootstrapSha256 === undefined ? nobody(actor) : bootstrapCaller;
    }
    const caller = (await directory.current()).callerOf(maker, clock.now());
    const address = addressOf(actor);
    const cameByLegacy = actor === ANONYMOUS || address !== undefined;
    return cameByLegacy && legacy.admits(address) ? withLegacyRights(caller) : caller;
  }

  /** Who shows a token of Skerry's own; undefined for one that is not known, or is over. */
  async byToken(text: string): Promise<Caller | undefined> {
    const { directory, clock, bootstrapSha256 } = this.#options;
    const digest = digestOfToken(text);
    if (bootstrapSha256 !== undefined && isDigest(digest, bootstrapSha256)) {
      return bootstrapCaller;
    }
    if (!isTokenText(text)) {
      return undefined;
    }
    const snapshot = await directory.current();
    const id = tokenIdOf(digest);
    const token = snapshot.token(id);
    const now = clock.now();
    const isOver = token?.expiresAt !== undefined && token.expiresAt <= now;
    if (token === undefined || isOver || !isDigest(digest, token.value.sha256)) {
      return undefined;
    }
    this.#options.lastUses.note(id, token.expiresAt);
    return snapshot.callerOf({ actor: `token:${id}` }, now);
  }

  async byClaims({ actor, roles, groups }: Claims): Promise<Caller> {
    const { directory, clock } = this.#options;
    const snapshot = await directory.current();
    const members = groups.map((id) => `group:${id}`).filter((member) => snapshot.isMember(member));
    const bindings = roles.filter((role) => parseBinding(role) !== undefined);
    return snapshot.callerOf({ actor, roles: [...bindings, ...members] }, clock.now());
  }

  /** Who is known by their address alone; undefined where no role names it. */
  async byAddress(address: string | undefined): Promise<Caller | undefined> {
    if (address === undefined) {
      return undefined;
    }
    const maker = { actor: actorAt(address) };
    const snapshot = await this.#options.directory.current();
    const isKnown = snapshot.standingOf(maker)?.bindings.length !== 0;
    return isKnown ? snapshot.callerOf(maker, this.#options.clock.now()) : undefined;
  }

  /** What a caller has, for them to see. */
  async rightsOf(maker: Maker): Promise<CallerRights> {
    const { directory, isOpen } = this.#options;
    if (isOpen || maker.actor === BOOTSTRAP) {
      return { roles: ['admin'], allow: BUILT_IN_ROLES.get('admin')?.allow ?? [], ns: ['*'] };
    }
    const snapshot = await directory.current();
    const { bindings, within, expiresAt } = snapshot.standingOf(maker) ?? { bindings: [], within: [] };
    return {
      roles: bindings.map(({ role, service }) => (service === undefined ? role : `${role}:${service}`)),
      allow: snapshot.rulesOf(bindings),
      ns: within,
      ...(expiresAt !== undefined && { expiresAt: toTimestamp(expiresAt) }),
    };
  }
}

const adminRights = new Rights(BUILT_IN_ROLES.get('admin')?.allow ?? []);
const bootstrapCaller: Caller = {
  maker: { actor: BOOTSTRAP },
  may: (verb, ns, keys) => adminRights.may(verb, ns, keys),
};

/** What the surfaces of the replaced systems deal with: who was let in there by their address may have it go on. */
const legacyRights = new Rights([
  {
    verbs: ['read', 'list', 'watch', 'write', 'delete'],
    keys: ['/app', '/srv', '/reg', '/env', '/tpl', '/op'],
    ns: ['default'],
  },
]);

function withLegacyRights({ maker, may }: Caller): Caller {
  return { maker, may: (verb, ns, keys) => legacyRights.may(verb, ns, keys) || may(verb, ns, keys) };
}
