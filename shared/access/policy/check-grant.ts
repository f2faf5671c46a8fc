import { SkerryError } from '../../platform/errors.ts';
import type { Caller } from '../../platform/http/index.ts';
import { type Rule, rulesFor } from './rights.ts';

/**
 * Nobody grants what they do not have, of whatever service and in whatever namespace; who administrates everything may.
 *
 * @param within narrows the rules to these namespaces.
 * @throws SkerryError `forbidden` that names the first thing that the caller lacks.
 */
export function checkGrant(caller: Caller, rules: readonly Rule[], within: readonly string[] = ['*']): void {
  if (caller.may('admin', '*', '/')) {
    return;
  }
  for (const { verbs, keys, ns } of rulesFor(rules, '*')) {
    for (const verb of verbs) {
      for (const like of keys) {
        // What is in both namespaces is in each of them.
        const lacking = ns.flatMap((of) => within.map((name) => [of, name] as const));
        const one = lacking.find((names) => !names.some((name) => caller.may(verb, name, { like })));
        if (one !== undefined) {
          throw new SkerryError(
            'forbidden',
            `The caller may not ${verb} ${like} in the namespace "${one[1]}", and so cannot have others do it.`,
            {
              fix: 'Grant less, or ask somebody who may do it themselves.',
              denial: { verb, ns: one[1], keys: { like } },
            },
          );
        }
      }
    }
  }
}
