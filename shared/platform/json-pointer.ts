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

/** What a JSON Pointer leads to in a JSON value; undefined where there is nothing. */
export function valueAt(value: unknown, steps: readonly string[]): unknown {
  return steps.reduce(childOf, value);
}

function childOf(value: unknown, step: string): unknown {
  if (Array.isArray(value)) {
    return ARRAY_INDEX.test(step) ? value[Number(step)] : undefined;
  }
  return typeof value === 'object' && value !== null
    ? Object.getOwnPropertyDescriptor(value, step)?.value
    : undefined;
}
