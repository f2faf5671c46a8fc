import { z } from 'zod';
import type { ErrorKind, SkerryError } from '../errors.ts';
import { type Access, authorize, keysOf, nothingAt, type Touch } from './access.ts';
import { MAX_BODY_BYTES } from './body-bytes.ts';
import { checkInput } from './check.ts';
import { nameSchema } from './name.ts';
import type { RawQuery } from './query.ts';
import { type BodyOf, isRawBody, type RawBody, type RawContent, whereThereIsRoom } from './raw-body.ts';
import { CheckedRequest, type EndpointRequest, type HeaderReader, type RequestContext } from './request.ts';
import type { HttpResponse } from './response.ts';
import { type ParameterNames, parseRoute, pathOf, type RouteTemplate } from './route.ts';

export type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';

/**
 * `canonical`: JSON in, problem+json on errors, strict. `legacy`: any JSON body, text reasons, unknown
 * parameters ignored.
 */
export type Surface = 'canonical' | 'legacy';

/** Request headers that an endpoint obeys, for its description. */
export type RequestHeader =
  | 'If-Match'
  | 'If-None-Match'
  | 'Cache-Control'
  | 'Accept'
  | 'Range'
  | 'If-Range'
  | 'Last-Event-ID'
  | 'Idempotency-Key'
  | 'WebHook-Allowed-Origin'
  | 'WebHook-Allowed-Rate';

export type ResponseHeader =
  | 'ETag'
  | 'X-Skerry-Revision'
  | 'X-Skerry-Version'
  | 'Location'
  | 'Age'
  | 'Last-Modified'
  | 'Content-Location'
  | 'Content-Range'
  | 'Accept-Ranges'
  | 'Vary'
  | 'Link'
  | 'Operation-Location'
  | 'Retry-After';

export interface ResponseDeclaration {
  readonly description: string;
  /** Absent where there is no body. Describes; answers are not checked against it. */
  readonly body?: z.ZodType;
  /** `application/json` unless said otherwise. */
  readonly mediaType?: string;
  /** Whether it may be content of any other type instead. */
  readonly orContent?: boolean;
  readonly headers?: readonly ResponseHeader[];
}

export type ShowRefusal = (status: number, reason: string, headers: HeaderReader) => HttpResponse;

/** The text of every route parameter, by its name: `{ name: string }` for `api/v1/apps/{name}`. */
export type RouteParameters<Route extends string> = { readonly [Name in ParameterNames<Route>]: string };

export interface EndpointDeclaration<
  Services,
  Route extends string,
  Query extends z.ZodRawShape,
  Body extends z.ZodType | RawBody,
> {
  /** Unique; the operation id of the API description. */
  readonly name: string;
  readonly method: Method;
  /**
   * As Azure Functions takes it: no leading slash, `{parameter}` for one segment, `{*rest}` at the end for all
   * that follows.
   */
  readonly route: Route;
  readonly summary: string;
  readonly access: Access;
  /**
   * The keys that a request touches where its query or body says which: they are authorised in place of those of `access`, before
   * anything is done. Where it says none, those of `access` are.
   */
  touches?(
    input: CheckedInput<RouteParameters<Route>, z.output<z.ZodObject<Query>>, BodyOf<Body>>,
    ns: string,
  ): readonly Touch[];
  /**
   * What the endpoint says of a thing that does not exist, and so of one that the caller may not see; what is said of unknown paths
   * where it is undefined.
   */
  missing?(
    params: RouteParameters<Route>,
    ns: string,
    query: z.output<z.ZodObject<Query>>,
  ): SkerryError | undefined;
  /** `canonical` unless said otherwise. */
  readonly surface?: Surface;
  /** Rules for route parameters that are not names; every other parameter must satisfy `nameSchema`. */
  readonly params?: { readonly [Name in ParameterNames<Route>]?: z.ZodType<string, string> };
  /**
   * Query parameters besides `ns`, each a schema over its text (see query.ts); others are refused, on legacy
   * surfaces ignored.
   */
  readonly query?: Query;
  /**
   * What a JSON body must satisfy; objects in it should be strict. With `prefault` it may be left out. `rawContent` takes any
   * body. Without it none is read.
   */
  readonly body?: Body;
  /** Bytes of a JSON body; 300 KiB unless said otherwise. */
  readonly maxBodyBytes?: number;
  readonly requestHeaders?: readonly RequestHeader[];
  readonly responses: Readonly<Record<number, ResponseDeclaration>>;
  /** Errors of its own, besides those that checking, access and storage give everywhere. */
  readonly errors?: readonly ErrorKind[];
  /** How a legacy surface tells refusals, where that is not as text; the same for all endpoints of a route. */
  readonly showRefusal?: ShowRefusal;
  /** Throws SkerryError to refuse. */
  handle(
    request: EndpointRequest<RouteParameters<Route>, z.output<z.ZodObject<Query>>, BodyOf<Body>>,
    services: Services,
  ): HttpResponse | Promise<HttpResponse>;
}

/** The parts of a request that satisfy the schemas of an endpoint. */
export interface CheckedInput<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
}

/** The parts of a request that an endpoint checks, as they were sent. */
export interface UncheckedInput {
  /** Absolute, as it was sent. */
  readonly url: string;
  /** Decoded values of the route parameters. */
  readonly params: Readonly<Record<string, string>>;
  /** Query parameters without `ns`; an array where one was given repeatedly. */
  readonly query: RawQuery;
  /** Reads the body and parses it as JSON; undefined where it is empty and may be missing. */
  readJson(maxBytes: number, mayBeMissing: boolean): Promise<unknown>;
  readRaw(body: RawBody): Promise<RawContent>;
}

/** One endpoint, ready to be registered. */
export interface Endpoint<Services> {
  readonly name: string;
  readonly method: Method;
  readonly route: RouteTemplate;
  readonly summary: string;
  readonly access: Access;
  /** Whether the query or the body of a request says which keys it touches. */
  readonly touchesByContent: boolean;
  readonly surface: Surface;
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly body: z.ZodType | RawBody | undefined;
  readonly requestHeaders: readonly RequestHeader[];
  readonly responses: Readonly<Record<number, ResponseDeclaration>>;
  readonly errors: readonly ErrorKind[];
  readonly showRefusal: ShowRefusal | undefined;
  /**
   * Checks the input, authorises what the caller asks for, and lets the handler answer.
   *
   * @throws SkerryError `invalid` naming the field, `forbidden` or what the endpoint says of missing things, and whatever the
   *   handler throws.
   */
  invoke(context: RequestContext, input: UncheckedInput, services: Services): Promise<HttpResponse>;
}

/**
 * Declares an endpoint, once for everything: registration, checking, access control and the API description.
 * Curried, so that the services are named while the rest is inferred:
 *
 * ```ts
 * const endpoint = defineEndpoint<Services>();
 * export const getApp = endpoint({ name: 'getApp', method: 'GET', route: 'api/v1/apps/{name}', … });
 * ```
 */
export function defineEndpoint<Services>() {
  return <
    const Route extends string,
    Query extends z.ZodRawShape = Record<never, never>,
    Body extends z.ZodType | RawBody = z.ZodUndefined,
  >(
    declaration: EndpointDeclaration<Services, Route, Query, Body>,
  ): Endpoint<Services> => {
    const route = parseRoute(declaration.route);
    const surface = declaration.surface ?? 'canonical';
    const params = parametersSchema(route, declaration.params ?? {});
    const query = querySchema(declaration.query, surface);
    const body = declaration.body;

    return {
      name: declaration.name,
      method: declaration.method,
      route,
      summary: declaration.summary,
      access: declaration.access,
      touchesByContent: declaration.touches !== undefined,
      surface,
      params,
      query,
      body,
      requestHeaders: declaration.requestHeaders ?? [],
      responses: declaration.responses,
      errors: declaration.errors ?? [],
      showRefusal: declaration.showRefusal,
      async invoke(context, input, services) {
        const checked = {
          params: checkInput(params, input.params, 'path parameter') as RouteParameters<Route>,
          query: checkInput(query, input.query, 'query parameter') as z.output<z.ZodObject<Query>>,
        };
        const { caller, ns } = context;
        const missing = () =>
          declaration.missing?.(checked.params, ns, checked.query) ?? nothingAt(pathOf(input.url));
        const { access } = declaration;
        const declared =
          typeof access === 'object' ? [{ ...access, keys: keysOf(access, checked.params) }] : [];
        if (declaration.touches === undefined) {
          authorize(caller, ns, declared, missing);
        }
        const handle = async () => {
          const given = body && (await readBody(body, input, declaration.maxBodyBytes));
          const request = new CheckedRequest(context, { ...checked, body: given as BodyOf<Body> });
          if (declaration.touches !== undefined) {
            const touched = declaration.touches(request, ns);
            authorize(caller, ns, touched.length === 0 ? declared : touched, missing);
          }
          return await declaration.handle(request, services);
        };
        return body !== undefined && isRawBody(body)
          ? await whereThereIsRoom(body, context.headers, handle)
          : await handle();
      },
    };
  };
}

async function readBody(
  body: z.ZodType | RawBody,
  input: UncheckedInput,
  maxBytes = MAX_BODY_BYTES,
): Promise<unknown> {
  return isRawBody(body)
    ? await input.readRaw(body)
    : checkInput(body, await input.readJson(maxBytes, mayBeMissing(body)), 'field');
}

/** Whether requests may come without a body, because nothing has to be said: the schema then has a value for that. */
export function mayBeMissing(body: z.ZodType | RawBody): boolean {
  return body instanceof z.ZodPrefault;
}

function parametersSchema(
  route: RouteTemplate,
  declared: Readonly<Record<string, z.ZodType<string, string> | undefined>>,
): z.ZodObject {
  const shape: Record<string, z.ZodType> = {};
  for (const parameter of route.parameters) {
    shape[parameter] = declared[parameter] ?? nameSchema;
  }
  return z.object(shape);
}

function querySchema(shape: z.ZodRawShape | undefined, surface: Surface): z.ZodObject {
  return surface === 'legacy' ? z.object(shape ?? {}) : z.strictObject(shape ?? {});
}
