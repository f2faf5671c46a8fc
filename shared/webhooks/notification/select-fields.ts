import { pointerSteps } from '../../platform/json-pointer.ts';
import type { Json } from '../../records/index.ts';

/** The members that are wanted, by name or index, and what is wanted of each; a leaf is wanted whole. */
type Selection = Map<string, Selection>;

/**
 * What of a value some JSON Pointers lead to, nested as it was. Items of an array that are not wanted, but stand before one that
 * is, are null, so that the others keep their places. A value that has nothing of it is an empty object or array.
 */
export function selectFields(value: Json, pointers: readonly string[]): Json {
  const selection: Selection = new Map();
  for (const pointer of pointers) {
    let wanted = selection;
    const steps = pointerSteps(pointer);
    if (steps.length === 0) {
      return value;
    }
    for (const [index, step] of steps.entries()) {
      const known = wanted.get(step);
      if (known?.size === 0) {
        break;
      }
      const next: Selection = known ?? new Map();
      wanted.set(step, next);
      wanted = next;
      if (index === steps.length - 1) {
        next.clear();
      }
    }
  }
  return select(value, selection) ?? {};
}

/** Undefined where nothing is there that is wanted. */
function select(value: Json | undefined, selection: Selection): Json | undefined {
  if (selection.size === 0 || value === undefined) {
    return value;
  }
  if (Array.isArray(value)) {
    return selectItems(value, selection);
  }
  if (typeof value !== 'object' || value === null) {
    return undefined;
  }
  const members: [string, Json][] = [];
  for (const [name, wanted] of selection) {
    const member = Object.hasOwn(value, name) ? select(value[name], wanted) : undefined;
    if (member !== undefined) {
      members.push([name, member]);
    }
  }
  return Object.fromEntries(members);
}

function selectItems(value: readonly Json[], selection: Selection): Json[] {
  const items: Json[] = [];
  for (const [index, item] of value.entries()) {
    const wanted = selection.get(String(index));
    const selected = wanted === undefined ? undefined : select(item, wanted);
    if (selected !== undefined) {
      while (items.length < index) {
        items.push(null);
      }
      items.push(selected);
    }
  }
  return items;
}
