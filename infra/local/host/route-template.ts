import { parseRouteConstraint, type RouteConstraint } from './route-constraint.ts';

interface Parameter {
  readonly name: string;
  readonly constraints: readonly RouteConstraint[];
  readonly catchAll: boolean;
  readonly optional: boolean;
  readonly defaultValue: string | undefined;
}

type Part = { readonly literal: string } | { readonly parameter: Parameter };
/** A literal, a parameter, or several of both, as in `{name}.{extension}`. */
type Segment = readonly Part[];

/** By parameter name; undefined where the path leaves a parameter out. */
export type RouteValues = Record<string, string | undefined>;

/**
 * A route template, `prefix/literal/{parameter:constraint}/{*rest}` (ASP.NET Core routing, as the Functions host uses it).
 */
export class RouteTemplate {
  /** In the order of the groups of the pattern. */
  readonly #parameters: readonly Parameter[];
  readonly #pattern: RegExp;

  /** @throws Error if the template is malformed or names an unknown constraint. */
  constructor(template: string) {
    const segments = splitOutsideBraces(template).map(splitParts);
    refuseMisplaced(segments);
    this.#parameters = segments.flatMap(parametersOf);
    // One trailing slash is ignored, unless a catch-all takes it, which takes the rest as it stands.
    this.#pattern = new RegExp(`^${toPattern(segments)}/?$`, 'is');
  }

  /** The route values if the template matches a percent-decoded path, otherwise undefined. */
  match(path: string): RouteValues | undefined {
    const match = this.#pattern.exec(path);
    if (match === null) return undefined;
    const values: RouteValues = {};
    for (const [
      index,
      { name, constraints, catchAll, optional, defaultValue },
    ] of this.#parameters.entries()) {
      const value = match[index + 1] || defaultValue;
      values[name] = value;
      // Every constraint refuses what is not there, unless it may be missing.
      const satisfied =
        value === undefined
          ? optional || (catchAll && constraints.length === 0)
          : constraints.every((satisfies) => satisfies(value));
      if (!satisfied) return undefined;
    }
    return values;
  }
}

function parametersOf(segment: Segment): Parameter[] {
  return segment.flatMap((part) => ('parameter' in part ? [part.parameter] : []));
}

/** From the end, where what may be missing can only be missing together with all that follows it. */
function toPattern(segments: readonly Segment[]): string {
  let pattern = '';
  let followersMayBeMissing = true;
  for (const segment of segments.toReversed()) {
    const [first] = segment;
    const alone = segment.length === 1 && first !== undefined && 'parameter' in first && first.parameter;
    followersMayBeMissing &&=
      alone !== false && (alone.catchAll || alone.optional || alone.defaultValue !== undefined);
    const own = alone === false ? toMixedPattern(segment) : alone.catchAll ? '(.*)' : '([^/]+)';
    pattern = followersMayBeMissing ? `(?:/${own}${pattern})?` : `/${own}${pattern}`;
  }
  return pattern;
}

/** Mixed segments match from the right, each literal at its last occurrence, which is what a greedy expression does. */
function toMixedPattern(segment: Segment): string {
  const last = segment.at(-1);
  const hasOptionalTail = last !== undefined && 'parameter' in last && last.parameter.optional;
  const patterns = segment.map((part) =>
    'literal' in part ? part.literal.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&') : '([^/]+)',
  );
  if (!hasOptionalTail) return patterns.join('');
  // The part before an optional tail must not swallow it.
  const [before = '', dot = '', tail = ''] = patterns.splice(-3);
  return `${patterns.join('')}${before.replace('+', '+?')}(?:${dot}${tail})?`;
}

function refuseMisplaced(segments: readonly Segment[]): void {
  const names = new Set<string>();
  for (const [index, segment] of segments.entries()) {
    for (const { name, catchAll } of parametersOf(segment)) {
      if (names.has(name.toLowerCase())) throw new Error(`route parameter '${name}' appears twice`);
      names.add(name.toLowerCase());
      if (catchAll && (segment.length > 1 || index < segments.length - 1)) {
        throw new Error(`route parameter '*${name}' must be the whole last segment`);
      }
    }
    if (segment.length > 1) refuseMisplacedParts(segment);
  }
}

function refuseMisplacedParts(segment: Segment): void {
  for (const [index, part] of segment.entries()) {
    if ('literal' in part) continue;
    const previous = segment[index - 1];
    if (previous !== undefined && 'parameter' in previous)
      throw new Error('two route parameters must not touch');
    const followsPeriod = index === segment.length - 1 && previous?.literal === '.';
    if (part.parameter.optional && !followsPeriod) {
      throw new Error(
        `route parameter '${part.parameter.name}?' must follow a period at the end of its segment`,
      );
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
