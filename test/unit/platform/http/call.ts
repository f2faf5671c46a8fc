import {
  type AccessControl,
  type AccessObserver,
  type CompleteResponse,
  createRouteHandlers,
  type Endpoint,
  unrestricted,
} from '../../../../shared/platform/http/index.ts';
import { systemRandom } from '../../../../shared/platform/random.ts';

export interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly logged: readonly unknown[];
}

/** Lets everybody do everything. */
export const OPEN: AccessControl = {
  isOffered: () => true,
  admit: async () => unrestricted('local'),
};

/** Sends calls to endpoints without a host: `call(route, path, …)` plays the function that serves the route. */
export function caller(
  endpoints: readonly Endpoint<object>[],
  {
    access = OPEN,
    limitedAccess,
    publicUrl,
    origins = [],
    services = {},
    observer,
  }: {
    access?: AccessControl;
    limitedAccess?: AccessControl;
    publicUrl?: string;
    origins?: string[];
    services?: object;
    observer?: AccessObserver;
  } = {},
) {
  const handlers = createRouteHandlers(endpoints, {
    services,
    access,
    limitedAccess,
    settings: { SKERRY_PUBLIC_URL: publicUrl, SKERRY_CORS_ORIGINS: origins },
    random: systemRandom,
    ...(observer && { observer }),
  });
  return async (
    route: string,
    path: string,
    { method = 'GET', headers, body }: Call = {},
  ): Promise<Answer> => {
    const handler = handlers.find((candidate) => candidate.route === route);
    if (handler === undefined) {
      throw new Error(`No function serves ${route}.`);
    }
    const logged: unknown[] = [];
    const request = new Request(`http://skerry.test${path}`, {
      method,
      ...(headers !== undefined && { headers }),
      ...(body !== undefined && { body }),
    });
    if (typeof body === 'string') {
      // A plain string gets a content type that a client without one would not have sent.
      const type = headers?.['content-type'];
      type === undefined ? request.headers.delete('content-type') : request.headers.set('content-type', type);
    }
    const response = await handler.handle(request, {
      traceparent: undefined,
      logError: (message, error) => logged.push(message, error),
    });
    return { status: response.status, headers: response.headers, text: textOf(response), logged };
  };
}

function textOf({ body }: CompleteResponse): string {
  return typeof body === 'string' ? body : '';
}

export function problemOf(answer: Answer): Record<string, unknown> {
  return JSON.parse(answer.text);
}
