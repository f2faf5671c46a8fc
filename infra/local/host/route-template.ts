import { parseRouteConstraint, type RouteConstraint } from './route-constraint.ts';

interface Parameter {
  readonly name: string;
  readonly constraints: readonly RouteConstraint[];
  readonly catchAll: boolean;
  readonly optional: boolean;
  readonly defaultValue: string | undefined;
}

type Part = { readonly literal: string } | { readonly parameter: Parameter };

type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'parameter'; readonly parameter: Parameter }
  /** Literals and parameters mixed, as in `{name}.{extension}`. */
  | { readonly kind: 'mixed'; readonly pattern: RegExp; readonly parameters: readonly Parameter[] };

/** By parameter name; undefined where the path leaves a parameter out. */
export type RouteValues = Record<string, string | undefined>;

/** A request's path, taken apart once for all the routes that it is tried against. */
export interface RequestPath {
  readonly segments: readonly string[];
  readonly lowerCaseSegments: readonly string[];
}

/** Takes a percent-decoded path apart. */
export function parseRequestPath(path: string): RequestPath {
  const segments = path.slice(1).split('/');
  return { segments, lowerCaseSegments: path.slice(1).toLowerCase().split('/') };
}

/**
 * A route template, `prefix/literal/{parameter:constraint}/{*rest}` (ASP.NET Core routing, as the Functions host uses it).
 */
export class RouteTemplate {
  readonly #segments: readonly Segment[];
  readonly #catchAll: Parameter | undefined;
  /** How many leading segments a path must have; those after them are optional or have defaults. */
  readonly #required: number;

  /** @throws Error if the template is malformed or names an unknown constraint. */
  constructor(template: string) {
    const segments = splitOutsideBraces(template).map(parseSegment);
    const last = segments.at(-1);
    this.#catchAll = last?.kind === 'parameter' && last.parameter.catchAll ? last.parameter : undefined;
    this.#segments = this.#catchAll === undefined ? segments : segments.slice(0, -1);
    refuseMisplaced(segments);
    let required = this.#segments.length;
    while (required > 0 && mayBeMissing(this.#segments[required - 1])) required--;
    this.#required = required;
  }

  /** The route values if the template matches, otherwise undefined. */
  match({ segments, lowerCaseSegments }: RequestPath): RouteValues | undefined {
    // One trailing slash is ignored; only a catch-all, which takes the rest as it stands, sees it.
    const count = segments.at(-1) === '' ? segments.length - 1 : segments.length;
    if (count < this.#required || (this.#catchAll === undefined && count > this.#segments.length))
      return undefined;
    const values: RouteValues = {};
    for (const [index, segment] of this.#segments.entries()) {
      const text = index < count ? segments[index] : undefined;
      if (text === '' || !matchSegment(segment, text, lowerCaseSegments[index], values)) return undefined;
    }
    return this.#matchCatchAll(segments, values) ? values : undefined;
  }

  #matchCatchAll(segments: readonly string[], values: RouteValues): boolean {
    if (this.#catchAll === undefined) return true;
    return assign(this.#catchAll, segments.slice(this.#segments.length).join('/'), values);
  }
}

/** `text` is undefined where the path has ended before this segment. */
function matchSegment(
  segment: Segment,
  text: string | undefined,
  lowerCaseText: string | undefined,
  values: RouteValues,
): boolean {
  if (segment.kind === 'literal') return segment.text === lowerCaseText;
  if (segment.kind === 'parameter') return assign(segment.parameter, text ?? '', values);
  const match = segment.pattern.exec(text ?? '');
  return (
    match !== null &&
    segment.parameters.every((parameter, index) => assign(parameter, match[index + 1] ?? '', values))
  );
}

/** Stores a parameter's value; an empty one is that of a parameter that is missing. */
function assign(parameter: Parameter, text: string, values: RouteValues): boolean {
  const value = text === '' ? parameter.defaultValue : text;
  values[parameter.name] = value;
  // Every constraint refuses what is not there, unless it may be missing.
  if (value === undefined)
    return parameter.optional || (parameter.catchAll && parameter.constraints.length === 0);
  return parameter.constraints.every((satisfies) => satisfies(value));
}

function mayBeMissing(segment: Segment | undefined): boolean {
  if (segment?.kind !== 'parameter') return false;
  return segment.parameter.optional || segment.parameter.defaultValue !== undefined;
}

function refuseMisplaced(segments: readonly Segment[]): void {
  const names = new Set<string>();
  for (const [index, segment] of segments.entries()) {
    if (segment.kind === 'literal') continue;
    for (const { name, catchAll } of segment.kind === 'parameter'
      ? [segment.parameter]
      : segment.parameters) {
      if (names.has(name.toLowerCase())) throw new Error(`route parameter '${name}' appears twice`);
      names.add(name.toLowerCase());
      if (catchAll && (segment.kind === 'mixed' || index < segments.length - 1)) {
        throw new Error(`route parameter '*${name}' must be the whole last segment`);
      }
    }
  }
}

function splitOutsideBraces(template: string): string[] {
  const segments: string[] = [];
  let start = 0;
  let depth = 0;
  for (let index = 0; index < template.length; index++) {
    const character = template[index];
    if (character === '{') depth++;
    else if (character === '}') depth--;
    else if (character === '/' && depth === 0) {
      segments.push(template.slice(start, index));
      start = index + 1;
    }
  }
  if (depth !== 0) throw new Error(`route '${template}' has an unbalanced brace`);
  if (template !== '') segments.push(template.slice(start));
  if (segments.includes('')) throw new Error(`route '${template}' has an empty segment`);
  return segments;
}

function parseSegment(text: string): Segment {
  const parts = splitParts(text);
  const [first] = parts;
  if (first !== undefined && parts.length === 1) {
    return 'literal' in first
      ? { kind: 'literal', text: first.literal.toLowerCase() }
      : { kind: 'parameter', parameter: first.parameter };
  }
  return parseMixed(parts);
}

/** `{{` and `}}` stand for braces inside a constraint's regular expression. */
function splitParts(text: string): Part[] {
  const parts: Part[] = [];
  const pattern = /\{((?:[^{}]|\{\{|\}\})+)\}|([^{}]+)|[{}]/g;
  for (const [whole, parameter, literal] of text.matchAll(pattern)) {
    if (parameter !== undefined)
      parts.push({ parameter: parseParameter(parameter.replace(/([{}])\1/g, '$1')) });
    else if (literal !== undefined && !literal.includes('?')) parts.push({ literal });
    else throw new Error(`route segment '${text}' has a stray '${whole}'`);
  }
  return parts;
}

/** Mixed segments match from the right, each literal at its last occurrence, which is what a greedy expression does. */
function parseMixed(parts: readonly Part[]): Segment {
  const parameters: Parameter[] = [];
  let source = '';
  let optionalTail = '';
  for (const [index, part] of parts.entries()) {
    const next = parts[index + 1];
    const isLast = index === parts.length - 1;
    if ('literal' in part) {
      const literal = part.literal.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
      const precedesOptional = part.literal === '.' && index === parts.length - 2 && next !== undefined;
      if (precedesOptional && 'parameter' in next && next.parameter.optional) optionalTail = literal;
      else source += literal;
      continue;
    }
    const previous = parts[index - 1];
    if (previous !== undefined && 'parameter' in previous)
      throw new Error('two route parameters must not touch');
    if (part.parameter.optional && (!isLast || optionalTail === '')) {
      throw new Error(
        `route parameter '${part.parameter.name}?' must follow a period at the end of its segment`,
      );
    }
    parameters.push(part.parameter);
    source += optionalTail === '' ? '(.+)' : `(?:${optionalTail}(.+))?`;
  }
  // With an optional tail the part before it must not swallow that tail.
  const lazy = optionalTail === '' ? source : source.replace(/\(\.\+\)(?=\(\?:)/, '(.+?)');
  return { kind: 'mixed', pattern: new RegExp(`^${optionalTail === '' ? source : lazy}$`, 'is'), parameters };
}

function parseParameter(text: string): Parameter {
  const [, stars = '', name = '', rest = ''] = /^(\*{0,2})([^:=?]+)(.*)$/s.exec(text) ?? [];
  if (!/^[^*{}/]+$/.test(name)) throw new Error(`route parameter '${text}' is malformed`);
  const { constraintTexts, tail } = splitConstraints(rest);
  const optional = tail === '?';
  const defaultValue = tail.startsWith('=') ? tail.slice(1) : undefined;
  if (tail !== '' && !optional && defaultValue === undefined)
    throw new Error(`route parameter '${text}' is malformed`);
  const constraints = constraintTexts.map(parseRouteConstraint);
  return { name, constraints, catchAll: stars !== '', optional, defaultValue };
}

/** Constraints are separated by colons outside their parentheses; a default or `?` ends them. */
function splitConstraints(text: string): { constraintTexts: string[]; tail: string } {
  const constraintTexts: string[] = [];
  let rest = text;
  while (rest.startsWith(':')) {
    const constraint = /^:([^:(=?]*(?:\((?:[^()]|\([^()]*\))*\))?)/s.exec(rest)?.[1] ?? '';
    if (constraint === '') throw new Error(`route constraint '${text}' is malformed`);
    constraintTexts.push(constraint);
    rest = rest.slice(constraint.length + 1);
  }
  return { constraintTexts, tail: rest };
}
