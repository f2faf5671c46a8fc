/**
 * `isUnder`, as a query of documents that have a key asks for it.
 *
 * @param suffix of the parameters' names, where a query asks so more than once.
 */
export function whereUnder(
  prefix: string,
  suffix: string | number = '',
): { readonly condition: string; readonly parameters: readonly { name: string; value: string }[] } {
  const below = `@below${suffix}`;
  if (prefix.endsWith('/')) {
    return {
      condition: `(STARTSWITH(c.key, ${below}) AND c.key != ${below})`,
      parameters: [{ name: below, value: prefix }],
    };
  }
  const top = `@prefix${suffix}`;
  return {
    condition: `(c.key = ${top} OR STARTSWITH(c.key, ${below}))`,
    parameters: [
      { name: top, value: prefix },
      { name: below, value: `${prefix}/` },
    ],
  };
}
