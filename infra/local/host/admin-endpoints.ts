import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import type { FunctionDefinition } from './function-definition.ts';
import type { FunctionKeys } from './function-keys.ts';
import type { Drain } from './host.ts';
import type { RequestTarget } from './http-request.ts';
import { writeJson, writeStatus } from './http-response.ts';

const HOST_VERSION = '4.34.0';

export interface AdminEndpointsOptions {
  /** All of the app's functions. */
  readonly definitions: readonly FunctionDefinition[];
  readonly state: () => 'Running' | 'Stopping';
  /** Runs a function in the background. */
  readonly fire: (definition: FunctionDefinition, input: string) => void;
  readonly drain: Drain;
  readonly routePrefix: string;
  /** Open to everybody if there are none. */
  readonly keys: FunctionKeys | undefined;
}

interface AdminRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** In `/admin/functions/{name}`. */
  readonly definition: FunctionDefinition | undefined;
}

interface Endpoint {
  readonly methods: readonly string[];
  readonly path: RegExp;
  readonly answer: (request: AdminRequest) => void | Promise<void>;
  /** Whether it needs no key. */
  readonly open?: boolean;
}

/** The few of the host's own endpoints that tools and tests use (azure-functions-host, `HostController`, `FunctionsController`). */
export class AdminEndpoints {
  readonly #options: AdminEndpointsOptions;
  readonly #id = randomUUID();
  readonly #endpoints: readonly Endpoint[] = [
    {
      methods: ['GET', 'POST'],
      path: /^\/admin\/host\/ping$/i,
      open: true,
      answer: ({ response }) => writeStatus(response, 200),
    },
    {
      methods: ['GET'],
      path: /^\/admin\/host\/status$/i,
      answer: ({ response }) => writeJson(response, this.#status()),
    },
    {
      methods: ['POST'],
      path: /^\/admin\/host\/drain$/i,
      answer: async ({ response }) => {
        await this.#options.drain.start();
        writeStatus(response, 202);
      },
    },
    {
      methods: ['GET'],
      path: /^\/admin\/host\/drain\/status$/i,
      answer: async ({ response }) => writeJson(response, await this.#options.drain.status()),
    },
    {
      methods: ['GET'],
      path: /^\/admin\/functions$/i,
      answer: ({ request, response }) =>
        writeJson(
          response,
          this.#options.definitions.map((definition) => this.#describe(definition, request)),
        ),
    },
    {
      methods: ['GET'],
      path: /^\/admin\/functions\/([^/]+)$/i,
      answer: ({ request, response, definition }) =>
        definition === undefined
          ? writeStatus(response, 404)
          : writeJson(response, this.#describe(definition, request)),
    },
    {
      methods: ['POST'],
      path: /^\/admin\/functions\/([^/]+)$/i,
      answer: (request) => this.#fire(request),
    },
  ];

  constructor(options: AdminEndpointsOptions) {
    this.#options = options;
  }

  async answer(request: IncomingMessage, response: ServerResponse, target: RequestTarget): Promise<void> {
    const { definitions, keys } = this.#options;
    const path = target.path.replace(/\/$/, '');
    const endpoint = this.#endpoints.find(
      (candidate) => candidate.path.test(path) && candidate.methods.includes(request.method ?? ''),
    );
    const mayCall =
      endpoint?.open || keys === undefined || keys.levelOf(request.headers, target.query) === 'admin';
    if (endpoint !== undefined && mayCall) {
      if (request.headers.expect !== undefined) response.writeContinue();
      const name = endpoint.path.exec(path)?.[1]?.toLowerCase();
      const definition = definitions.find((candidate) => candidate.name.toLowerCase() === name);
      await endpoint.answer({ request, response, definition });
    } else {
      writeStatus(response, endpoint === undefined ? 404 : 401);
    }
    request.resume();
  }

  #status(): object {
    return {
      id: this.#id,
      state: this.#options.state(),
      version: HOST_VERSION,
      versionDetails: HOST_VERSION,
      processUptime: Math.round(process.uptime() * 1000),
      functionAppContentEditingState: 'NotAllowed',
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

  /** Also runs functions that are disabled. Unlike the real host it does not insist on a JSON content type. */
  async #fire({ request, response, definition }: AdminRequest): Promise<void> {
    const body = await text(request).catch(() => '');
    if (definition === undefined) return writeStatus(response, 404);
    const invocation = invocationSchema.safeParse(parseJson(body));
    if (!invocation.success) return writeStatus(response, 400);
    this.#options.fire(definition, invocation.data.input);
    writeStatus(response, 202);
  }
}

const invocationSchema = z.object({
  input: z
    .union([z.string(), z.number(), z.boolean(), z.null()])
    .transform((input) => String(input ?? ''))
    .default(''),
});

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
