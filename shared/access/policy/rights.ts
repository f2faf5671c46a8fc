import type { Keys, Verb } from '../../platform/http/index.ts';
import { Glob } from './glob.ts';
import { KeyPattern, keySetOf } from './key-pattern.ts';

/** Something that a role allows: these verbs on all keys that one of the patterns covers, in these namespaces. */
export interface Rule {
  readonly verbs: readonly Verb[];
  /** As `KeyPattern` has it; `${service}` stands for the service that the role is bound to. */
  readonly keys: readonly string[];
  /** Names, or globs with `*`. */
  readonly ns: readonly string[];
}

const SERVICE = '${service}';

interface CompiledRule {
  readonly verbs: ReadonlySet<Verb>;
  readonly keys: readonly KeyPattern[];
  readonly ns: readonly Glob[];
}

/** What somebody may do, compiled: a question takes about a microsecond. What no rule allows is denied. */
export class Rights {
  readonly #rules: readonly CompiledRule[];
  /** Narrows all rules. */
  readonly #within: readonly Glob[];

  constructor(rules: readonly Rule[], within: readonly string[] = ['*']) {
    this.#rules = rules.map(({ verbs, keys, ns }) => ({
      verbs: new Set(verbs),
      keys: keys.map((key) => new KeyPattern(key)),
      ns: ns.map((name) => new Glob(name)),
    }));
    this.#within = within.map((name) => new Glob(name));
  }

  /** Whether one pattern covers all of the keys: what several cover together only, nobody has granted as a whole. */
  may(verb: Verb, ns: string, keys: Keys): boolean {
    if (!this.#within.some((glob) => glob.matches(ns))) {
      return false;
    }
    let set: ReturnType<typeof keySetOf> | undefined;
    for (const rule of this.#rules) {
      if (rule.verbs.has(verb) && rule.ns.some((glob) => glob.matches(ns))) {
        set ??= keySetOf(keys);
        for (const pattern of rule.keys) {
          if (pattern.covers(set)) return true;
        }
      }
    }
    return false;
  }
}

/** The rules for a service. Patterns that need one are left out where none is named: they allow nothing then. */
export function rulesFor(rules: readonly Rule[], service: string | undefined): Rule[] {
  return rules.map((rule) => ({
    ...rule,
    keys: rule.keys.flatMap((key) => {
      if (!key.includes(SERVICE)) return [key];
      return service === undefined ? [] : [key.replaceAll(SERVICE, service)];
    }),
  }));
}
