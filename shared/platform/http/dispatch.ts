import { z } from 'zod';
import { isRefusal, SkerryError } from '../errors.ts';
import type { Random } from '../random.ts';
import type { Settings } from '../settings.ts';
import { type AccessControl, type Credentials, nothingAt } from './access.ts';
import type { AccessObserver } from './access-observer.ts';
import { checkInput } from './check.ts';
import { completeBody, isStream } from './complete-body.ts';
import { CrossOrigin } from './cross-origin.ts';
import type { Endpoint, ShowRefusal, Surface } from './endpoint.ts';
import { finishResponse } from './finish-response.ts';
import { clientAddressOf, IncomingContext, requestIdOf } from './incoming-context.ts';
import { readJsonBody } from './json-body.ts';
import { nameSchema } from './name.ts';
import { errorResponse } from './problem.ts';
import { type RawQuery, readQuery } from './query.ts';
import { type RawBody, readRawBody } from './raw-body.ts';
import type { HeaderReader, IncomingRequest } from './request.ts';
import type { CompleteResponse, HttpResponse } from './response.ts';
import { functionName, loggedPath, parseRoute, pathOf, type RouteTemplate, readParameters } from './route.ts';

/** What the host tells about the run of a function, besides the request. */
export interface Invocation {
  /** W3C trace context of this run, where the host has one. */
  readonly traceparent: string | undefined;
  /** Tells under which id a request is known, for what is logged of it. */
  noteRequestId?(requestId: string): void;
  logError(message: string, error?: unknown): void;
}

/** One function of the host: everything that happens on one route, whatever the method. */
export interface RouteHandler {
  /** Unique, and sorting before less specific routes; see `functionName`. */
  readonly name: string;
  readonly route: string;
  /** Never throws and always answers. */
  handle(request: IncomingRequest, invocation: Invocation): Promise<CompleteResponse>;
}

export interface DispatchOptions<Services> {
  readonly services: Services;
  readonly access: AccessControl;
  /** The same for what is no probe, where it is to be limited how often it is asked. */
  readonly limitedAccess?: AccessControl | undefined;
  readonly settings: Pick<Settings, 'SKERRY_PUBLIC_URL'> & Partial<Pick<Settings, 'SKERRY_CORS_ORIGINS'>>;
  readonly random: Random;
  readonly observer?: AccessObserver;
}

interface Route<Services> {
  readonly template: RouteTemplate;
  readonly surface: Surface;
  readonly showRefusal: ShowRefusal | undefined;
  readonly endpoints: ReadonlyMap<string, Endpoint<Services>>;
  /** Stands for the route where no endpoint has the method of the request. */
  readonly first: Endpoint<Services>;
  /** The value of `Allow`. */
  readonly methods: string;
}

const NO_ROUTE = parseRoute('{*path}');
/** How requests are answered that no route is known for, to those who ask. */
const UNKNOWN = { surface: 'canonical', showRefusal: undefined, template: NO_ROUTE } as const;
const namespaceSchema = z.object({ ns: nameSchema });

/**
 * The functions that serve a set of endpoints: one for each route template, and a last one that answers 404.
 *
 * @throws Error when two endpoints share a name or a route and a method, or disagree about the form of a route.
 */
export function createRouteHandlers<Services>(
  endpoints: readonly Endpoint<Services>[],
  options: DispatchOptions<Services>,
): readonly RouteHandler[] {
  const dispatcher = new Dispatcher(options);
  return [
    ...groupByRoute(endpoints).map((route) => ({
      name: functionName(route.template),
      route: route.template.text,
      handle: (request: IncomingRequest, invocation: Invocation) =>
        dispatcher.answer(request, invocation, route),
    })),
    {
      name: functionName(NO_ROUTE),
      route: NO_ROUTE.text,
      handle: (request, invocation) => dispatcher.answer(request, invocation, undefined),
    },
  ];
}

class Dispatcher<Services> {
  readonly #services: Services;
  readonly #random: Random;
  readonly #publicUrl: string | undefined;
  readonly #access: AccessControl;
  readonly #limitedAccess: AccessControl;
  readonly #crossOrigin: CrossOrigin;
  readonly #observer: AccessObserver | undefined;

  constructor({ services, access, limitedAccess, settings, random, observer }: DispatchOptions<Services>) {
    this.#services = services;
    this.#random = random;
    this.#publicUrl = settings.SKERRY_PUBLIC_URL;
    this.#access = access;
    this.#limitedAccess = limitedAccess ?? access;
    this.#crossOrigin = new CrossOrigin(settings.SKERRY_CORS_ORIGINS ?? []);
    this.#observer = observer;
  }

  /** Always answers, whatever is thrown, so that nothing ever escapes to the host. */
  async answer(
    request: IncomingRequest,
    invocation: Invocation,
    route: Route<Services> | undefined,
  ): Promise<CompleteResponse> {
    const requestId = requestIdOf(request.headers, this.#random);
    const credentials = { headers: request.headers, clientAddress: clientAddressOf(request.headers) };
    let offered: Route<Services> | undefined;
    invocation.noteRequestId?.(requestId);
    const logFailure = (error: unknown) => {
      const { template } = route ?? UNKNOWN;
      const subject = `Request ${requestId} (${request.method} ${loggedPath(template, request.url)}) failed`;
      if (error instanceof SkerryError) {
        invocation.logError(`${subject}: ${oneLine(error)}`);
      } else {
        invocation.logError(subject, error);
      }
    };
    const complete = (response: HttpResponse) =>
      request.method === 'HEAD' ? withoutBody(response) : completeBody(response, logFailure);
    const finish = (response: CompleteResponse) => {
      const { surface } = offered ?? UNKNOWN;
      return finishResponse(response, request, { requestId, surface, crossOrigin: this.#crossOrigin });
    };
    try {
      offered = route && this.#isOffered(route, request, credentials) ? route : undefined;
      if (offered === undefined) {
        throw nothingAt(pathOf(request.url));
      }
      const response = await this.#dispatch(offered, request, invocation, requestId, credentials);
      return finish(await complete(response));
    } catch (error) {
      // What a caller cannot set right is worth a line in the log.
      if (!isRefusal(error)) {
        logFailure(error);
      }
      const { surface, showRefusal } = offered ?? UNKNOWN;
      const form = { show: showRefusal, headers: request.headers };
      return finish(await complete(errorResponse(error, surface, requestId, form)));
    }
  }

  #isOffered(route: Route<Services>, { method }: IncomingRequest, credentials: Credentials): boolean {
    return this.#access.isOffered((endpointFor(route, method) ?? route.first).access, credentials);
  }

  async #dispatch(
    route: Route<Services>,
    request: IncomingRequest,
    invocation: Invocation,
    requestId: string,
    credentials: Credentials,
  ): Promise<HttpResponse> {
    const endpoint = endpointFor(route, request.method);
    const { access } = endpoint ?? route.first;
    const preflight =
      route.surface === 'canonical' ? this.#crossOrigin.preflight(request, route.methods) : undefined;
    if (preflight !== undefined) {
      return preflight;
    }
    const observed = { endpoint: (endpoint ?? route.first).name, clientAddress: credentials.clientAddress };
    const door = isProbe(route) ? this.#access : this.#limitedAccess;
    const caller = await door.admit(access, credentials).catch((error: unknown) => {
      if (error instanceof SkerryError && error.kind === 'unauthorized') {
        this.#observer?.signInFailed({ ...observed, isFaulty: hadCredentials(request, error) });
      }
      throw error;
    });
    if (endpoint === undefined) {
      return answerWithoutEndpoint(route, request.method);
    }
    const { ns, query } = readNamespace(request.url, route.surface);
    const context = new IncomingContext({
      ns,
      caller,
      requestId,
      headers: request.method === 'HEAD' ? withoutRange(request.headers) : request.headers,
      url: request.url,
      publicUrl: this.#publicUrl,
      traceparent: invocation.traceparent,
    });
    const input = {
      url: request.url,
      params: readParameters(route.template, request.url, request.params),
      query,
      readJson: (maxBytes: number, mayBeMissing: boolean) =>
        readJsonBody(request, route.surface, maxBytes, mayBeMissing),
      readRaw: (body: RawBody) => readRawBody(request, body),
    };
    return await endpoint.invoke(context, input, this.#services).catch((error: unknown) => {
      const denial = error instanceof SkerryError ? error.denial : undefined;
      if (denial !== undefined) this.#observer?.denied({ ...observed, ...denial, caller });
      throw error;
    });
  }
}

/** Also without the header: where the platform signs callers in, others say who they are, and `invalid_token` that it is not believed. */
function hadCredentials({ headers }: IncomingRequest, refusal: SkerryError): boolean {
  const challenge = refusal.headers['WWW-Authenticate'] ?? '';
  return headers.get('authorization') !== null || challenge.includes('invalid_token');
}

/** Whoever looks after the app asks probes, often, and has to be answered; what anybody may ask for by a name of its own is none. */
function isProbe<Services>({ first, template }: Route<Services>): boolean {
  return first.access === 'open' && template.parameters.length === 0;
}

function groupByRoute<Services>(endpoints: readonly Endpoint<Services>[]): readonly Route<Services>[] {
  const groups = new Map<string, [Endpoint<Services>, ...Endpoint<Services>[]]>();
  const names = new Set<string>();
  for (const endpoint of endpoints) {
    if (names.has(endpoint.name)) {
      throw new Error(`Two endpoints are called ${endpoint.name}.`);
    }
    names.add(endpoint.name);
    const group = groups.get(endpoint.route.text);
    if (group === undefined) {
      groups.set(endpoint.route.text, [endpoint]);
    } else {
      group.push(endpoint);
    }
  }
  return [...groups.values()].map(toRoute);
}

function toRoute<Services>(group: readonly [Endpoint<Services>, ...Endpoint<Services>[]]): Route<Services> {
  const [first] = group;
  const endpoints = new Map(group.map((endpoint) => [endpoint.method as string, endpoint]));
  if (endpoints.size !== group.length) {
    throw new Error(`Two endpoints of the route ${first.route.text} have the same method.`);
  }
  if (group.some((one) => one.surface !== first.surface || one.showRefusal !== first.showRefusal)) {
    throw new Error(`The endpoints of the route ${first.route.text} are of different surfaces.`);
  }
  const methods = new Set([...endpoints.keys(), 'OPTIONS']);
  if (methods.has('GET') && impliesHead(first.surface)) {
    methods.add('HEAD');
  }
  return {
    template: first.route,
    surface: first.surface,
    showRefusal: first.showRefusal,
    endpoints,
    first,
    methods: [...methods].sort().join(', '),
  };
}

function endpointFor<Services>(route: Route<Services>, method: string): Endpoint<Services> | undefined {
  const declared = route.endpoints.get(method);
  if (declared === undefined && method === 'HEAD' && impliesHead(route.surface)) {
    return route.endpoints.get('GET');
  }
  return declared;
}

/** The replaced systems know HEAD only where they say so, and answer 405 elsewhere. */
function impliesHead(surface: Surface): boolean {
  return surface === 'canonical';
}

function answerWithoutEndpoint<Services>(route: Route<Services>, method: string): HttpResponse {
  if (method === 'OPTIONS') {
    return { status: 204, headers: { Allow: route.methods } };
  }
  throw new SkerryError('method-not-allowed', `The method ${method} is not known here.`, {
    fix: `Use one of ${route.methods}.`,
    headers: { Allow: route.methods },
  });
}

function readNamespace(url: string, surface: Surface): { ns: string; query: RawQuery } {
  const query = readQuery(url);
  if (surface === 'legacy' || query.ns === undefined) {
    return { ns: 'default', query };
  }
  const { ns, ...others } = query;
  return { ...checkInput(namespaceSchema, { ns }, 'query parameter'), query: others };
}

/** An outage meets every request, so that each says no more than what does not answer and why. */
function oneLine({ message, cause }: SkerryError): string {
  return cause instanceof Error ? `${message} (${cause.message.split('\n')[0]})` : message;
}

/** HEAD gets the headers of GET, the length of the body that is left out among them. */
function withoutBody({ status, headers, body }: HttpResponse): CompleteResponse {
  if (body === undefined || typeof body === 'function') {
    return { status, headers };
  }
  if (isStream(body)) {
    // Nobody will read it, and it may hold something until it ends.
    void body[Symbol.asyncIterator]().return?.();
    return { status, headers };
  }
  return { status, headers: { ...headers, 'Content-Length': String(Buffer.byteLength(body)) } };
}

/** A range is for GET alone (RFC 9110, section 14.2). */
function withoutRange(headers: HeaderReader): HeaderReader {
  return { get: (name) => (name.toLowerCase() === 'range' ? null : headers.get(name)) };
}
