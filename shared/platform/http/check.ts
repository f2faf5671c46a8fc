import type { z } from 'zod';
import { invalid, type SkerryError } from '../errors.ts';

/** What kind of thing the checked input is made of, for messages. */
export type InputPart = 'path parameter' | 'query parameter' | 'field';

type Issue = z.core.$ZodIssue;

/**
 * The input as the schema gives it back.
 *
 * @throws SkerryError `invalid` that names the first faulty field and what to do about it.
 */
export function checkInput<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  part: InputPart,
): z.output<Schema> {
  const result = schema.safeParse(input, { reportInput: true });
  if (result.success) {
    return result.data;
  }
  throw describeFault(result.error.issues, part);
}

function describeFault(issues: readonly Issue[], part: InputPart): SkerryError {
  const issue = mostTelling(issues);
  if (issue === undefined) {
    return invalid(`A ${part} is not acceptable.`);
  }
  if (issue.code === 'unrecognized_keys') {
    const field = fieldPath([...issue.path, issue.keys[0] ?? '']);
    return invalid(`The ${part} "${field}" is not known here.`, {
      field,
      fix: 'Remove it, or correct its spelling.',
    });
  }
  const field = fieldPath(issue.path);
  const subject = field === '' ? 'The body' : `The ${part} "${field}"`;
  if (isMissing(issue)) {
    return invalid(`${subject} is missing.`, { ...named(field), fix: `Add it: ${expectation(issue)}.` });
  }
  if (Array.isArray(issue.input) && part === 'query parameter') {
    return invalid(`${subject} is given more than once.`, { ...named(field), fix: 'Give it once.' });
  }
  return invalid(`${subject} is not acceptable: ${reason(issue)}.`, {
    ...named(field),
    fix: `Send ${expectation(issue)}.`,
  });
}

/** Of the branches of a union the one that got furthest into the input says most about what was meant. */
function mostTelling(issues: readonly Issue[]): Issue | undefined {
  const [issue] = issues;
  if (issue?.code === 'invalid_key') {
    // What is wrong with the name of a member stands below it, and without saying where that is.
    const [fault = issue] = issue.issues;
    return { ...fault, path: issue.path };
  }
  if (issue?.code !== 'invalid_union') {
    return issue;
  }
  const branches = issue.errors
    .map((branch) => mostTelling(branch))
    .filter((branch) => branch !== undefined && branch.path.length > 0);
  const deepest = branches.sort((a, b) => (b?.path.length ?? 0) - (a?.path.length ?? 0))[0];
  return deepest === undefined ? issue : { ...deepest, path: [...issue.path, ...deepest.path] };
}

function isMissing(issue: Issue): boolean {
  return issue.code !== 'unrecognized_keys' && issue.input === undefined;
}

function reason(issue: Issue): string {
  const message = issue.message.replace(/^(Invalid input|Invalid string|Too big|Too small): /, '');
  return message.replace(/\.$/, '');
}

function expectation(issue: Issue): string {
  const told = /^must be (.+)$/.exec(issue.message)?.[1];
  if (told !== undefined) {
    return told;
  }
  switch (issue.code) {
    case 'invalid_type':
      return TYPE_NAMES[issue.expected] ?? `a value of type ${issue.expected}`;
    case 'invalid_value':
      return issue.values.length === 1
        ? String(issue.values[0])
        : `one of ${issue.values
            .map(String)
            .filter((value) => value !== '')
            .join(', ')}`;
    case 'too_big':
      return `${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${unitOf(issue.origin)}`;
    case 'too_small':
      return `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unitOf(issue.origin)}`;
    default:
      return 'a value as /api/v1/openapi.json describes it';
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  record: 'an object',
};

function unitOf(origin: string): string {
  if (origin === 'string') {
    return ' characters';
  }
  return origin === 'array' ? ' items' : '';
}

function named(field: string): { field?: string } {
  return field === '' ? {} : { field };
}

/** Writes a path as people do: `endpoints.http`, `tags[3]`. */
export function fieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') {
      return `${text}[${part}]`;
    }
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}
