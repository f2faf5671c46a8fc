import { AddressRanges } from '../platform/address-ranges.ts';
import { addressOf, type Caller, type Maker, nobody } from '../platform/http/index.ts';
import { RecentMap } from '../platform/recent-map.ts';
import type { StoredRecord } from '../records/index.ts';
import { ROLES, TOKENS } from './access-scope.ts';
import { Rights, type Rule, rulesFor } from './policy/rights.ts';
import { type Binding, BUILT_IN_ROLES, parseBinding, type Role, type RoleInput } from './policy/role.ts';
import type { TokenValue } from './tokens/token.ts';

/** Callers that are remembered. */
const MAX_CALLERS = 10_000;
/** Rights that are kept compiled; callers with the same bindings share theirs. */
const MAX_RIGHTS = 1_000;

const ACTOR_OF_TOKEN = 'token:';
const GROUP = 'group:';

type StoredToken = StoredRecord<TokenValue>;

/** What somebody has: roles by their bindings, and the namespaces that these are narrowed to. */
export interface Standing {
  readonly bindings: readonly Binding[];
  readonly within: readonly string[];
  /** Milliseconds since the Unix epoch: when all of it ends. */
  readonly expiresAt?: number | undefined;
}

/** All roles and tokens as they stood at a revision, and what they make of callers. */
export class AccessSnapshot {
  readonly revision: number;
  readonly #roles = new Map(BUILT_IN_ROLES);
  readonly #tokens = new Map<string, StoredToken>();
  /** Names of the roles of each member. */
  readonly #memberships = new Map<string, string[]>();
  readonly #addresses: { readonly ranges: AddressRanges; readonly role: string }[] = [];
  readonly #callers = new RecentMap<string, Caller>(MAX_CALLERS);
  readonly #rights = new RecentMap<string, Rights>(MAX_RIGHTS);

  constructor(revision: number, records: readonly StoredRecord<unknown>[]) {
    this.revision = revision;
    for (const record of records) {
      if (record.key.startsWith(`${TOKENS}/`)) {
        this.#tokens.set(record.key.slice(TOKENS.length + 1), record as StoredToken);
      } else if (record.key.startsWith(`${ROLES}/`)) {
        this.#addRole({ name: record.key.slice(ROLES.length + 1), ...(record.value as RoleInput) });
      }
    }
  }

  token(id: string): StoredToken | undefined {
    return this.#tokens.get(id);
  }

  /** Whether some role names this member, such as `group:ID`. */
  isMember(member: string): boolean {
    return this.#memberships.has(member);
  }

  /** What a maker has; undefined for a token that is gone. */
  standingOf({ actor, roles = [] }: Maker): Standing | undefined {
    if (actor.startsWith(ACTOR_OF_TOKEN)) {
      const token = this.#tokenOf(actor);
      return (
        token && {
          bindings: this.#knownBindings(token.value.roles),
          within: token.value.ns,
          expiresAt: token.expiresAt,
        }
      );
    }
    // A role that is called as another member is, such as `user:OID`, makes nobody that one.
    const groups = roles.filter((role) => role.startsWith(GROUP));
    const members = [actor, ...groups].flatMap((member) => this.#memberships.get(member) ?? []);
    const address = addressOf(actor);
    const byAddress = address === undefined ? [] : this.#rolesOfAddress(address);
    return { bindings: this.#knownBindings([...roles, ...members, ...byAddress]), within: ['*'] };
  }

  rulesOf(bindings: readonly Binding[]): Rule[] {
    return bindings.flatMap(({ role, service }) => rulesFor(this.#roles.get(role)?.allow ?? [], service));
  }

  /** The caller that a maker is at a time, in milliseconds since the Unix epoch. */
  callerOf(maker: Maker, now: number): Caller {
    const expiresAt = this.#tokenOf(maker.actor)?.expiresAt;
    if (expiresAt !== undefined && expiresAt <= now) {
      return nobody(maker.actor);
    }
    const name = JSON.stringify([maker.actor, maker.roles]);
    const known = this.#callers.get(name);
    if (known !== undefined) {
      return known;
    }
    const caller = this.#makeCaller(maker);
    this.#callers.set(name, caller);
    return caller;
  }

  #makeCaller(maker: Maker): Caller {
    const standing = this.standingOf(maker);
    if (standing === undefined) {
      return nobody(maker.actor);
    }
    const rights = this.#rightsOf(standing);
    return { maker, may: (verb, ns, keys) => rights.may(verb, ns, keys) };
  }

  #rightsOf({ bindings, within }: Standing): Rights {
    const name = JSON.stringify([bindings, within]);
    const rights = this.#rights.get(name) ?? new Rights(this.rulesOf(bindings), within);
    this.#rights.set(name, rights);
    return rights;
  }

  #tokenOf(actor: string): StoredToken | undefined {
    return actor.startsWith(ACTOR_OF_TOKEN)
      ? this.#tokens.get(actor.slice(ACTOR_OF_TOKEN.length))
      : undefined;
  }

  #addRole(role: Role): void {
    if (BUILT_IN_ROLES.has(role.name)) {
      return;
    }
    this.#roles.set(role.name, role);
    const ranges: string[] = [];
    for (const member of role.members ?? []) {
      const range = addressOf(member);
      if (range !== undefined) {
        ranges.push(range);
      } else {
        this.#memberships.set(member, [...(this.#memberships.get(member) ?? []), role.name]);
      }
    }
    if (ranges.length > 0) {
      this.#addresses.push({ ranges: new AddressRanges(ranges), role: role.name });
    }
  }

  #rolesOfAddress(address: string): string[] {
    return this.#addresses.flatMap(({ ranges, role }) => (ranges.includes(address) ? [role] : []));
  }

  /** Claims may name roles of other programs too. */
  #knownBindings(texts: readonly string[]): Binding[] {
    const bindings = [...new Set(texts)].flatMap((text) => parseBinding(text) ?? []);
    return bindings.filter(({ role }) => this.#roles.has(role));
  }
}
