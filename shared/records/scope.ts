/** The records that share a log: one Cosmos logical partition (docs/architecture.md, "Where things are kept"). */
export interface Scope {
  readonly ns: string;
  readonly kind: string;
  /** What the scope is for within its kind, such as a service's name; empty where a namespace has one scope of the kind. */
  readonly name: string;
}

/** The partition key of a scope: `namespace:kind:name`. */
export function scopeId(scope: Scope): string {
  return `${scope.ns}:${scope.kind}:${scope.name}`;
}

/**
 * The scope behind a partition key.
 *
 * @throws Error when the text is no partition key of a scope.
 */
export function parseScopeId(id: string): Scope {
  const [ns, kind, ...name] = id.split(':');
  if (ns === undefined || kind === undefined || name.length === 0) {
    throw new Error(`"${id}" is not a scope id of the form namespace:kind:name.`);
  }
  return { ns, kind, name: name.join(':') };
}
