import type { Json } from '../../records/index.ts';

/** The path in a `${…}`, such as `['parameters', 'nodes']`. */
export type Reference = readonly string[];

/** A reference that only a step that runs can fill in, as it is to be written until then. */
export class Later {
  readonly reference: Reference;

  constructor(reference: Reference) {
    this.reference = reference;
  }
}

/** What stands for a reference; undefined where there is nothing. */
export type Resolve = (reference: Reference) => Json | undefined | Later;

/** A text that cannot be filled in; the message is a sentence. */
export class InterpolationError extends Error {
  /** As a sentence. */
  readonly fix: string;

  constructor(message: string, fix: string) {
    super(message);
    this.fix = fix;
  }
}

/** Characters of JSON that references may bring into a value: a few of them could stand for very much else. */
const MAX_FILLED_IN = 256 * 1024;

type Part = string | { readonly reference: Reference };

const TOKEN = /\$?\$\{/g;
const PATH = /^[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)+$/;

/** Every reference in the texts of a value and in the names of its members. */
export function* referencesIn(value: Json | undefined): Generator<Reference, void> {
  if (typeof value === 'string') {
    for (const part of partsOf(value)) {
      if (typeof part !== 'string') yield part.reference;
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      yield* referencesIn(name);
      yield* referencesIn(member);
    }
  }
}

/**
 * A value with its references filled in. A text that is one reference becomes what that stands for, of whatever type; inside a longer
 * text, and in the name of a member, it becomes text. What comes in so is not looked into again: `$${` stands for a `${` that is none.
 *
 * @throws InterpolationError for a `${` that is not closed or holds no path, and where `resolve` has nothing, or nothing yet.
 */
export function fillIn(value: Json, resolveAny: Resolve): Json {
  const resolve = bounded(resolveAny);
  return map(value, (text) => {
    const parts = partsOf(text);
    const [first] = parts;
    if (parts.length === 1 && first !== undefined && typeof first !== 'string') {
      return resolved(first.reference, resolve);
    }
    return parts
      .map((part) => (typeof part === 'string' ? part : toText(resolved(part.reference, resolve))))
      .join('');
  });
}

/** As `fillIn`, for what is filled in once more when the step runs: references that are for `Later` stay, and all else is safe from it. */
export function fillInFirst(value: Json, resolveAny: Resolve): Json {
  const resolve = bounded(resolveAny);
  return map(value, (text) => {
    const parts = partsOf(text).map((part) => {
      if (typeof part === 'string') {
        return escaped(part);
      }
      const content = resolve(part.reference);
      return content instanceof Later
        ? write(content.reference)
        : map(known(part.reference, content), escaped);
    });
    const [first] = parts;
    return parts.length === 1 && first !== undefined ? first : parts.map(toText).join('');
  });
}

/** How a reference is written. */
export function write(reference: Reference): string {
  return `\${${reference.join('.')}}`;
}

function bounded(resolve: Resolve): Resolve {
  let left = MAX_FILLED_IN;
  return (reference) => {
    const content = resolve(reference);
    left -= content === undefined || content instanceof Later ? 0 : JSON.stringify(content).length;
    if (left < 0) {
      throw new InterpolationError(
        `It comes to more than ${MAX_FILLED_IN / 1024} KiB with its references filled in.`,
        'Refer to large values less often, or keep them in a bundle and name that.',
      );
    }
    return content;
  };
}

function resolved(reference: Reference, resolve: Resolve): Json {
  const content = resolve(reference);
  if (content instanceof Later) {
    throw new InterpolationError(
      `"${write(reference)}" is known only when a step runs.`,
      'Use it in the command or the app of an action only.',
    );
  }
  return known(reference, content);
}

function known(reference: Reference, content: Json | undefined): Json {
  if (content === undefined) {
    throw new InterpolationError(
      `There is nothing that "${write(reference)}" stands for.`,
      'Correct the name, or write "$${" for a "${" that is meant as it stands.',
    );
  }
  return content;
}

/** Made from entries, a member named `__proto__` is one like any other. */
function map(value: Json, text: (text: string) => Json): Json {
  if (typeof value === 'string') {
    return text(value);
  }
  if (Array.isArray(value)) {
    return value.map((item) => map(item, text));
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).flatMap(([name, member]) =>
        member === undefined ? [] : [[toText(text(name)), map(member, text)]],
      ),
    );
  }
  return value;
}

/** A value within a text: what is a text itself as it stands, all else as JSON. */
export function toText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function escaped(text: string): string {
  return text.split('${').join('$${');
}

function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const token of text.matchAll(TOKEN)) {
    if (token.index < end) {
      continue;
    }
    const before = text.slice(end, token.index);
    if (token[0] === '$${') {
      parts.push(`${before}\${`);
      end = token.index + token[0].length;
    } else {
      const close = text.indexOf('}', token.index);
      parts.push(before, { reference: readPath(text, token.index, close) });
      end = close + 1;
    }
  }
  parts.push(text.slice(end));
  return parts.length === 1 ? parts : parts.filter((part) => part !== '');
}

function readPath(text: string, open: number, close: number): Reference {
  if (close === -1) {
    throw new InterpolationError(
      `A "\${" is not closed: "${shorten(text.slice(open))}".`,
      'Close it with "}", or write "$${" for a "${" that is meant as it stands.',
    );
  }
  const path = text.slice(open + 2, close).trim();
  if (!PATH.test(path)) {
    throw new InterpolationError(
      `"\${${shorten(path)}}" is no path of names with dots between them.`,
      'Write it as "${parameters.NAME}", or "$${" for a "${" that is meant as it stands.',
    );
  }
  return path.split('.');
}

function shorten(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`;
}
