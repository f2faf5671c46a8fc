import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import type { FunctionDefinition } from './function-definition.ts';
import type { FunctionKeys } from './function-keys.ts';
import type { FunctionsHostOptions } from './host.ts';
import type { Exchange } from './http-request.ts';
import { writeJson, writeStatus } from './http-response.ts';
import type { TriggerEvent } from './invocation.ts';
import type { Log } from './log.ts';
import { timerInput } from './timer-listener.ts';

const HOST_VERSION = '4.34.0';

export interface AdminEndpointsOptions {
  /** Makes the host's id, the same in all workers. */
  readonly appDirectory: string;
  /** All of the app's functions. */
  readonly definitions: readonly FunctionDefinition[];
  /** What keeps functions from being fired, now. */
  readonly errors: ReadonlyMap<unknown, string>;
  readonly state: () => 'Running' | 'Stopping';
  /** Runs a function with its retry policy; failures are logged there. */
  readonly run: (definition: FunctionDefinition, event: TriggerEvent) => Promise<void>;
  readonly log: Log;
  readonly drainStatus: FunctionsHostOptions['drainStatus'];
  readonly routePrefix: string;
  /** Open to everybody if there are none. */
  readonly keys: FunctionKeys | undefined;
}

interface AdminRequest extends Exchange {
  /** In `/admin/functions/{name}`. */
  readonly definition: FunctionDefinition | undefined;
}

/** The few of the host's own endpoints that tools and tests use (azure-functions-host, `HostController`, `FunctionsController`). */
export class AdminEndpoints {
  readonly #options: AdminEndpointsOptions;
  readonly #endpoints: Readonly<Record<string, (request: AdminRequest) => void | Promise<void>>> = {
    'GET /admin/host/ping': ({ response }) => writeStatus(response, 200),
    'POST /admin/host/ping': ({ response }) => writeStatus(response, 200),
    'GET /admin/host/status': ({ response }) => writeJson(response, this.#status()),
    'POST /admin/host/drain': async ({ response }) => {
      await this.#options.drainStatus(true);
      writeStatus(response, 202);
    },
    'GET /admin/host/drain/status': async ({ response }) =>
      writeJson(response, await this.#options.drainStatus(false)),
    'GET /admin/functions': ({ request, response }) => {
      const describe = (definition: FunctionDefinition) => this.#describe(definition, request);
      writeJson(response, this.#options.definitions.map(describe));
    },
    'GET /admin/functions/{name}': ({ request, response, definition }) =>
      definition === undefined
        ? writeStatus(response, 404)
        : writeJson(response, this.#describe(definition, request)),
    'POST /admin/functions/{name}': (request) => this.#fire(request),
  };

  constructor(options: AdminEndpointsOptions) {
    this.#options = options;
  }

  async answer(exchange: Exchange): Promise<void> {
    const { request, response, target } = exchange;
    const { definitions, keys } = this.#options;
    const path = target.path.replace(/\/$/, '').toLowerCase();
    const name = /^\/admin\/functions\/([^/]+)$/.exec(path)?.[1];
    const route = name === undefined ? path : '/admin/functions/{name}';
    const endpoint = this.#endpoints[`${request.method} ${route}`];
    const isOpen = route === '/admin/host/ping' || keys === undefined;
    if (endpoint === undefined) {
      writeStatus(response, 404);
    } else if (!isOpen && keys.levelOf(request.headers, target.query) !== 'admin') {
      writeStatus(response, 401);
    } else {
      if (request.headers.expect !== undefined) response.writeContinue();
      const definition = definitions.find((candidate) => candidate.name.toLowerCase() === name);
      await endpoint({ ...exchange, definition });
    }
    request.resume();
  }

  #status(): object {
    const { state, errors } = this.#options;
    return {
      id: createHash('sha256').update(this.#options.appDirectory).digest('hex').slice(0, 32),
      state: state(),
      version: HOST_VERSION,
      versionDetails: HOST_VERSION,
      processUptime: Math.round(process.uptime() * 1000),
      functionAppContentEditingState: 'NotAllowed',
      ...(errors.size > 0 && { errors: [...errors.values()] }),
    };
  }

  /** `FunctionMetadataExtensions.ToFunctionMetadataResponse`; files are not served here, so nothing refers to them. */
  #describe({ name, metadata, trigger, disabled }: FunctionDefinition, { headers }: IncomingMessage): object {
    const origin = `http://${headers.host ?? 'localhost'}`;
    const isHttp = trigger.type === 'httpTrigger';
    const route = isHttp ? [this.#options.routePrefix, trigger.route || name].filter(Boolean).join('/') : '';
    return {
      name,
      script_root_path_href: null,
      script_href: null,
      config_href: null,
      test_data_href: null,
      href: `${origin}/admin/functions/${name}`,
      invoke_url_template: isHttp ? `${origin}/${route}`.toLowerCase() : null,
      language: 'node',
      config: {
        name,
        language: 'node',
        bindings: Object.entries(metadata.bindings).map(([bindingName, binding]) => ({
          ...binding,
          name: bindingName,
        })),
      },
      files: null,
      test_data: null,
      isDisabled: disabled,
      isDirect: false,
      isProxy: false,
    };
  }

  /**
   * Also runs functions that are disabled; the caller does not learn how it ends. Unlike the real host it does not insist on
   * a JSON content type.
   */
  async #fire({ request, response, definition }: AdminRequest): Promise<void> {
    const { run, log } = this.#options;
    const parse = (body: string) => invocationSchema.parse(JSON.parse(body));
    const invocation = await text(request)
      .then(parse)
      .catch(() => undefined);
    if (definition === undefined) return writeStatus(response, 404);
    if (invocation === undefined) return writeStatus(response, 400);
    const { name, trigger } = definition;
    if (trigger.type === 'httpTrigger') {
      const message = `Executed 'Functions.${name}' (Failed): an HTTP function wants a request, not an input.`;
      log.write('error', `Function.${name}`, message);
    } else {
      const isTimer = trigger.type === 'timerTrigger';
      const input = isTimer ? timerInput(undefined, false) : { string: invocation.input };
      run(definition, { input }).catch(() => undefined);
    }
    writeStatus(response, 202);
  }
}

const invocationSchema = z.object({
  input: z
    .union([z.string(), z.number(), z.boolean(), z.null()])
    .transform((input) => String(input ?? ''))
    .default(''),
});
