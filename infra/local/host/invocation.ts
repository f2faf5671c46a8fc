import { randomUUID } from 'node:crypto';
import { type CoreApi, type LogOrigin, withReadOnly } from './core-api.ts';
import type { FunctionDefinition } from './function-definition.ts';
import { describeError, type Log } from './log.ts';
import type {
  CoreInvocationContext,
  InvocationRequest,
  InvocationResponse,
  ProgrammingModel,
  RetryContext,
  TraceContext,
  TypedData,
} from './rpc.ts';

/** What a trigger fires with. */
export interface TriggerEvent {
  readonly input: TypedData;
  readonly metadata?: Readonly<Record<string, TypedData>>;
  readonly traceParent?: string | undefined;
  readonly traceState?: string | undefined;
  /** Kept over the attempts of a retry policy; otherwise a new one is made. */
  readonly invocationId?: string;
  readonly retryContext?: RetryContext;
  /** What the library is given in place of what the function returned. */
  readonly adaptResult?: (result: unknown) => unknown;
}

interface RunningInvocation {
  readonly definition: FunctionDefinition;
  readonly invocationId: string;
  readonly startedAt: number;
  readonly fail: (error: Error) => void;
}

export interface InvokerOptions {
  readonly core: CoreApi;
  readonly model: ProgrammingModel;
  readonly log: Log;
  /** host.json's functionTimeout, in milliseconds; infinite for none. */
  readonly functionTimeout: number;
  /** Called when an invocation has outlived the timeout: Azure kills the process that runs it. */
  readonly onTimeout: () => void;
}

/** What a function fails with that has outlived functionTimeout. */
export class FunctionTimeoutError extends Error {}

const NO_METADATA: Readonly<Record<string, TypedData>> = {};

/** Runs functions through the programming model, and knows which are running. */
export class Invoker {
  readonly #options: InvokerOptions;
  readonly #running = new Set<RunningInvocation>();
  readonly #watchdog: NodeJS.Timeout | undefined;
  #idleWaiters: (() => void)[] = [];

  constructor(options: InvokerOptions) {
    this.#options = options;
    const { functionTimeout } = options;
    if (Number.isFinite(functionTimeout)) {
      // One timer for all: a timer of its own would cost every request more than this check costs in a second.
      const check = () => this.#failOverdue();
      this.#watchdog = setInterval(check, Math.min(functionTimeout / 4, 1000)).unref();
    }
  }

  get runningCount(): number {
    return this.#running.size;
  }

  /**
   * Runs a function once.
   *
   * @throws whatever the handler, a hook or the conversion of its result throws; it has been logged.
   */
  invoke(definition: FunctionDefinition, event: TriggerEvent): Promise<InvocationResponse> {
    const invocationId = event.invocationId ?? randomUUID();
    return new Promise((resolve, reject) => {
      const running: RunningInvocation = {
        definition,
        invocationId,
        startedAt: performance.now(),
        fail: reject,
      };
      this.#running.add(running);
      this.#logExecuting(running);
      this.#run(definition, event, invocationId).then(
        (response) => {
          this.#finish(running);
          resolve(response);
        },
        (error: unknown) => {
          this.#finish(running, error ?? new Error('The function failed without an error.'));
          reject(error);
        },
      );
    });
  }

  /** Resolves once nothing is running. */
  async whenIdle(): Promise<void> {
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  close(): void {
    clearInterval(this.#watchdog);
  }

  async #run(
    definition: FunctionDefinition,
    event: TriggerEvent,
    invocationId: string,
  ): Promise<InvocationResponse> {
    const { core } = this.#options;
    const { name, metadata } = definition;
    const hookData = {};
    let origin: LogOrigin = { functionName: name, hookData, invocationContext: undefined };
    const coreContext: CoreInvocationContext = {
      invocationId,
      request: toInvocationRequest(definition, event, invocationId),
      metadata,
      state: undefined,
      log: (level, category, message) => core.log(level, category, message, origin),
    };
    const model = await this.#options.model.getInvocationModel(coreContext);
    const { context, inputs } = await model.getArguments();
    origin = { functionName: name, hookData, invocationContext: context };

    const call = { inputs, functionCallback: definition.callback };
    if (core.hasHooks('preInvocation')) await this.#runHooks('preInvocation', coreContext, call, origin);
    const outcome = { inputs: call.inputs, result: undefined as unknown, error: undefined as unknown };
    coreContext.state = 'invocation';
    try {
      outcome.result = await model.invokeFunction(context, call.inputs, call.functionCallback);
    } catch (error) {
      outcome.error = error;
    }
    coreContext.state = undefined;
    if (core.hasHooks('postInvocation')) await this.#runHooks('postInvocation', coreContext, outcome, origin);
    if (outcome.error !== undefined && outcome.error !== null) throw outcome.error;
    return model.getResponse(context, event.adaptResult?.(outcome.result) ?? outcome.result);
  }

  /** Makes the library forget a streamed request that no function has answered, which it would remember for ever. */
  async forgetRequest(definition: FunctionDefinition, invocationId: string): Promise<void> {
    const request = toInvocationRequest(definition, { input: { http: {} } }, invocationId);
    const { metadata } = definition;
    const coreContext = { invocationId, request, metadata, state: undefined, log: () => {} };
    const model = await this.#options.model.getInvocationModel(coreContext);
    const context = { invocationId, extraOutputs: new Map() };
    // It forgets first; what it does then to an answer that is written or gone does not matter.
    await model.getResponse(context, { status: 500 }).catch(() => undefined);
  }

  /** Hooks may replace what `properties` holds. */
  async #runHooks(
    name: 'preInvocation' | 'postInvocation',
    coreContext: CoreInvocationContext,
    properties: object,
    { invocationContext, hookData }: LogOrigin,
  ): Promise<void> {
    const { core } = this.#options;
    coreContext.state = `${name}Hooks`;
    try {
      const readOnly = { invocationContext, hookData, appHookData: core.appHookData };
      await core.runHooks(name, withReadOnly(properties, readOnly));
    } finally {
      coreContext.state = undefined;
    }
  }

  #finish(running: RunningInvocation, error?: unknown): void {
    if (!this.#running.delete(running)) return;
    this.#logExecuted(running, error);
    if (this.#running.size > 0) return;
    for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  #failOverdue(): void {
    const { functionTimeout, onTimeout } = this.#options;
    const overdueBefore = performance.now() - functionTimeout;
    for (const running of this.#running) {
      // A set iterates in the order of insertion: the first one that is young enough ends the search.
      if (running.startedAt > overdueBefore) return;
      const error = new FunctionTimeoutError(
        `Timeout value of ${functionTimeout} ms exceeded by function '${running.definition.name}'.`,
      );
      this.#finish(running, error);
      onTimeout();
      // Once the listeners have stopped, so that what goes back to a queue does not come here again.
      setImmediate(() => running.fail(error));
    }
  }

  #logExecuting({ definition: { name }, invocationId }: RunningInvocation): void {
    const category = `Function.${name}`;
    if (!this.#options.log.isEnabled('debug', category)) return;
    this.#options.log.write('debug', category, `Executing 'Functions.${name}' (Id=${invocationId})`);
  }

  #logExecuted({ definition: { name }, invocationId, startedAt }: RunningInvocation, error: unknown): void {
    const category = `Function.${name}`;
    const level = error === undefined ? 'debug' : 'error';
    if (!this.#options.log.isEnabled(level, category)) return;
    const outcome = error === undefined ? 'Succeeded' : 'Failed';
    const duration = Math.round(performance.now() - startedAt);
    const line = `Executed 'Functions.${name}' (${outcome}, Id=${invocationId}, Duration=${duration}ms)`;
    this.#options.log.write(level, category, error === undefined ? line : `${line}: ${describeError(error)}`);
  }
}

function toInvocationRequest(
  { name, bindingName }: FunctionDefinition,
  event: TriggerEvent,
  invocationId: string,
): InvocationRequest {
  return {
    invocationId,
    functionId: name,
    inputData: [{ name: bindingName, data: event.input }],
    triggerMetadata: event.metadata ?? NO_METADATA,
    traceContext: toTraceContext(invocationId, event),
    ...(event.retryContext && { retryContext: event.retryContext }),
  };
}

const TRACE_PARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;

/** With host.json's `telemetryMode`, traces that begin at the host are recorded if these say where. */
const isTraced = ['APPLICATIONINSIGHTS_CONNECTION_STRING', 'OTEL_EXPORTER_OTLP_ENDPOINT'].some(
  (name) => (process.env[name] ?? '') !== '',
);

/** A child span of the caller's, or the start of a trace of its own; a random id is cut from the invocation's. */
function toTraceContext(invocationId: string, { traceParent, traceState = '' }: TriggerEvent): TraceContext {
  const parent = traceParent === undefined ? null : TRACE_PARENT.exec(traceParent);
  const traceId = parent?.[1] ?? invocationId.replaceAll('-', '');
  const spanId = invocationId.slice(0, 8) + invocationId.slice(-8);
  const flags = parent?.[2] ?? (isTraced ? '01' : '00');
  return { traceParent: `00-${traceId}-${spanId}-${flags}`, traceState, attributes: {} };
}
