import { invalid } from '../errors.ts';

/** Names of the parameters in a route: `'name' | 'id'` for `srv/{name}/{id}`. */
export type ParameterNames<Route extends string> = Route extends `${string}{${infer Name}}${infer Rest}`
  ? (Name extends `*${infer CatchAll}` ? CatchAll : Name) | ParameterNames<Rest>
  : never;

export interface RouteSegment {
  readonly kind: 'literal' | 'parameter' | 'catch-all';
  /** The literal's text or the parameter's name. */
  readonly text: string;
}

/** A parsed route of the form that Azure Functions takes, with an empty route prefix. */
export interface RouteTemplate {
  readonly text: string;
  readonly segments: readonly RouteSegment[];
  readonly parameters: readonly string[];
}

const LITERAL = /^[0-9A-Za-z][0-9A-Za-z._:-]*$/;
const PARAMETER = /^\{(\*?)([A-Za-z][0-9A-Za-z]*)\}$/;

/**
 * Reads a route template: literals, `{parameter}`, and `{*rest}` as the last segment.
 *
 * @throws Error when it uses anything else; mixed segments and constraints of the host are not used on purpose,
 *   because the parameters are read from the path here as well.
 */
export function parseRoute(text: string): RouteTemplate {
  const parts = text.split('/');
  const segments = parts.map((part, index) => parseSegment(part, index === parts.length - 1, text));
  const parameters = segments.filter(({ kind }) => kind !== 'literal').map((segment) => segment.text);
  return { text, segments, parameters };
}

function parseSegment(part: string, isLast: boolean, route: string): RouteSegment {
  if (LITERAL.test(part)) {
    return { kind: 'literal', text: part };
  }
  const [, star, name] = PARAMETER.exec(part) ?? [];
  if (name === undefined || (star === '*' && !isLast)) {
    throw new Error(`The segment "${part}" of the route "${route}" is not supported.`);
  }
  return { kind: star === '*' ? 'catch-all' : 'parameter', text: name };
}

/** What an Azure function's name is made of besides letters and digits. */
const UNNAMEABLE = /[^0-9A-Za-z]+/g;

/**
 * The name of the function that serves a route. The host tries functions in the order of their upper-cased
 * names and takes the first match, so names have to sort the more specific route first: among upper-cased
 * ASCII `_` comes after letters and digits, hence `_name` for a parameter and `__rest` for a catch-all
 * (docs/architecture.md, "Functions and routes").
 */
export function functionName(route: RouteTemplate): string {
  const prefixes = { literal: '', parameter: '_', 'catch-all': '__' };
  const parts = route.segments.map(({ kind, text }) => prefixes[kind] + text.replace(UNNAMEABLE, '-'));
  return ['http', ...parts].join('-');
}

/**
 * The parameters of a route, read from a URL that the host matched to it. A parameter ends at the next slash
 * of the path as it was sent, so an encoded slash stays inside it.
 *
 * @param values what the host read for them. It decodes a path and makes a URL of it again without encoding what looks encoded
 *   already, so that the URL of `a%252ecfg` is that of `a%2ecfg`; here the two differ. Only `%2F` it never decodes.
 * @throws SkerryError `invalid` when the percent-encoding of a parameter is malformed.
 */
export function readParameters(
  route: RouteTemplate,
  url: string,
  values: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const parameters: Record<string, string> = {};
  if (route.parameters.length === 0) {
    return parameters;
  }
  const parts = pathOf(url).split('/').slice(1);
  for (const [index, { kind, text }] of route.segments.entries()) {
    if (kind !== 'literal') {
      const raw = kind === 'parameter' ? (parts[index] ?? '') : parts.slice(index).join('/');
      const decoded = decodeParameter(text, raw);
      parameters[text] = values[text]?.replace(/%2f/gi, '/') ?? decoded;
    }
  }
  return parameters;
}

/** The path of an absolute URL, percent-encoded as it was sent. */
export function pathOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3);
  const end = url.indexOf('?');
  return start === -1 ? '/' : url.slice(start, end === -1 ? undefined : end);
}

/** The path of a URL that the host matched to a route, as it may stand in a log: what is called `token` grants something. */
export function loggedPath(route: RouteTemplate, url: string): string {
  const secret = route.segments.findIndex(({ kind, text }) => kind === 'parameter' && text === 'token');
  const parts = pathOf(url).split('/');
  return parts.map((part, index) => (secret !== -1 && index === secret + 1 ? '***' : part)).join('/');
}

function decodeParameter(name: string, raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch (cause) {
    throw invalid(`The path parameter "${name}" is not percent-encoded UTF-8.`, {
      field: name,
      fix: 'Encode it, such as %25 for a percent sign.',
      cause,
    });
  }
}
