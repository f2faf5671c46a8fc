import type { Json } from '../records/index.ts';

const POINTER = /^(\/([^/~]|~[01])*)*$/;
const ARRAY_INDEX = /^(0|[1-9]\d*)$/;

/** Whether a text is a JSON Pointer (RFC 6901), such as `/config/limits/0`; the empty one is the whole value. */
export function isJsonPointer(text: string): boolean {
  return POINTER.test(text);
}

/** The member names and array indexes that a JSON Pointer goes through. */
export function pointerSteps(pointer: string): readonly string[] {
  const [, ...steps] = pointer.split('/');
  return steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** What a JSON Pointer leads to; undefined where there is nothing. */
export function valueAt(value: Json | undefined, steps: readonly string[]): Json | undefined {
  let current = value;
  for (const step of steps) {
    current = childOf(current, step);
  }
  return current;
}

function childOf(value: Json | undefined, step: string): Json | undefined {
  if (Array.isArray(value)) {
    return ARRAY_INDEX.test(step) ? value[Number(step)] : undefined;
  }
  return typeof value === 'object' && value !== null && Object.hasOwn(value, step) ? value[step] : undefined;
}
