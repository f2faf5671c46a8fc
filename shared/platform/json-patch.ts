import { jsonEquals } from './json-equals.ts';

/** One step of a JSON Patch (RFC 6902); paths are JSON Pointers (RFC 6901). */
export type JsonPatchOperation =
  | { readonly op: 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/**
 * The JSON Patch that makes one JSON value another one. Where an array grew or shrank in one place, what surrounds it stays; more is
 * not looked for, so that the time it takes only grows with the values' size.
 */
export function diffJson(before: unknown, after: unknown): JsonPatchOperation[] {
  const operations: JsonPatchOperation[] = [];
  collect(before, after, '', operations);
  return operations;
}

function collect(before: unknown, after: unknown, path: string, operations: JsonPatchOperation[]): void {
  if (Array.isArray(before) && Array.isArray(after)) {
    collectItems(before, after, path, operations);
  } else if (isObject(before) && isObject(after)) {
    collectMembers(before, after, path, operations);
  } else if (!jsonEquals(before, after)) {
    operations.push({ op: 'replace', path, value: after });
  }
}

function collectMembers(before: object, after: object, path: string, operations: JsonPatchOperation[]): void {
  const old = definedMembers(before);
  const present = definedMembers(after);
  for (const name of old.keys()) {
    if (!present.has(name)) operations.push({ op: 'remove', path: childPath(path, name) });
  }
  for (const [name, value] of present) {
    if (old.has(name)) collect(old.get(name), value, childPath(path, name), operations);
    else operations.push({ op: 'add', path: childPath(path, name), value });
  }
}

function collectItems(
  before: readonly unknown[],
  after: readonly unknown[],
  path: string,
  operations: JsonPatchOperation[],
): void {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && jsonEquals(before[start], after[start])) start += 1;
  let tail = 0;
  while (tail < shorter - start && jsonEquals(before.at(-1 - tail), after.at(-1 - tail))) tail += 1;
  const oldEnd = before.length - tail;
  const newEnd = after.length - tail;
  for (let index = start; index < Math.min(oldEnd, newEnd); index += 1) {
    collect(before[index], after[index], childPath(path, index), operations);
  }
  for (let index = oldEnd - 1; index >= newEnd; index -= 1) {
    operations.push({ op: 'remove', path: childPath(path, index) });
  }
  for (let index = oldEnd; index < newEnd; index += 1) {
    operations.push({ op: 'add', path: childPath(path, index), value: after[index] });
  }
}

function definedMembers(object: object): Map<string, unknown> {
  return new Map(Object.entries(object).filter(([, value]) => value !== undefined));
}

function childPath(path: string, child: string | number): string {
  return `${path}/${String(child).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
