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

const LITERAL = /^[0-9A-Za-z._-]+$/;
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
