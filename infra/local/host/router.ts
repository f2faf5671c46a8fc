import type { FunctionDefinition, HttpTrigger } from './function-definition.ts';
import { messageOf } from './log.ts';
import { RouteTemplate, type RouteValues } from './route-template.ts';

export interface RouteMatch {
  readonly definition: FunctionDefinition<HttpTrigger>;
  readonly values: RouteValues;
}

interface Route {
  readonly definition: FunctionDefinition<HttpTrigger>;
  readonly template: RouteTemplate;
  /** Empty for any. */
  readonly methods: ReadonlySet<string>;
}

/**
 * Finds the function of a request. The first match in the order of the function names wins, compared upper-cased;
 * there is no ranking by specificity, and a wrong method only means that the search goes on
 * (azure-functions-host, `WebFunctionsManager` and `WebScriptHostHttpRoutesManager`).
 */
export class Router {
  readonly #routes: readonly Route[];

  /** @throws Error for a route that is malformed, reserved, or taken for one of its methods. */
  constructor(definitions: readonly FunctionDefinition<HttpTrigger>[], routePrefix: string) {
    const sorted = [...definitions].sort((left, right) =>
      compareOrdinal(left.name.toUpperCase(), right.name.toUpperCase()),
    );
    this.#routes = sorted.map((definition) => toRoute(definition, routePrefix));
    refuseConflicts(sorted);
  }

  /** `path` is percent-decoded but for `%2F`, and starts with a slash. */
  match(method: string, path: string): RouteMatch | undefined {
    for (const { definition, template, methods } of this.#routes) {
      if (methods.size > 0 && !methods.has(method)) continue;
      const values = template.match(path);
      if (values !== undefined) return { definition, values };
    }
    return undefined;
  }
}

function toRoute(definition: FunctionDefinition<HttpTrigger>, routePrefix: string): Route {
  const { name, trigger } = definition;
  const route = trigger.route || name;
  try {
    if (/^(admin|runtime)/i.test(trimSlashes(route)))
      throw new Error(`route '${route}' starts with a reserved word`);
    const prefix = trimSlashes(routePrefix);
    if (/^[/~]/.test(route)) throw new Error(`route '${route}' must not start with a slash or a tilde`);
    const template = new RouteTemplate(trimSlashes(`${prefix}/${route}`));
    return { definition, template, methods: new Set(trigger.methods) };
  } catch (error) {
    throw new Error(`function '${name}': ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function refuseConflicts(definitions: readonly FunctionDefinition<HttpTrigger>[]): void {
  const taken = new Map<string, string>();
  for (const { name, trigger } of definitions) {
    const route = trimSlashes(trigger.route || name).toLowerCase();
    for (const method of trigger.methods.length > 0 ? trigger.methods : ['*']) {
      const other = taken.get(`${method} ${route}`);
      if (other !== undefined)
        throw new Error(`functions '${other}' and '${name}' share the route '${route}' for ${method}`);
      taken.set(`${method} ${route}`, name);
    }
  }
}

function compareOrdinal(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function trimSlashes(text: string): string {
  return text.replace(/^\/+|\/+$/g, '');
}
