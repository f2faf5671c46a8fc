/**
 * Whether two JSON values are the same, whatever the order of members; a member that is undefined is none, as
 * in JSON.
 */
export function jsonEquals(a: unknown, b: unknown): boolean {
  if (a === b) {
    return true;
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return false;
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && arraysEqual(a, b);
  }
  return membersEqual(new Map(Object.entries(a)), new Map(Object.entries(b)));
}

function arraysEqual(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => jsonEquals(item, b[index]));
}

function membersEqual(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  return (
    countDefined(a) === countDefined(b) && [...a].every(([name, value]) => jsonEquals(value, b.get(name)))
  );
}

function countDefined(members: ReadonlyMap<string, unknown>): number {
  let count = 0;
  for (const value of members.values()) {
    count += value === undefined ? 0 : 1;
  }
  return count;
}
