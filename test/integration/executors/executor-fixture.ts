import type {
  ConfigStores,
  OutboundOptions,
  Outbound as OutboundType,
} from '../../../shared/executors/index.ts';
import { type ExecutorParts, Outbound } from '../../../shared/executors/index.ts';
import type { PlannedAction, StepRequest, StepVerb } from '../../../shared/operations/index.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import type { Credential } from '../../../shared/platform/origin-credentials.ts';
import type { Json } from '../../../shared/records/index.ts';
import { createExchange } from '../../../shared/webhooks/index.ts';
import { anyMaker } from '../any-maker.ts';

export interface PartsOptions {
  readonly credentials?: Readonly<Record<string, Credential>>;
  readonly timeoutMilliseconds?: number;
}

/** With quick repetitions, and private addresses allowed; of executors that have nothing to do with Skerry's own records. */
export function executorParts(options: PartsOptions = {}): ExecutorParts {
  const stores = {} as ConfigStores;
  return {
    outbound: outbound(options),
    stores,
    callerOf: anyMaker,
    clock: systemClock,
    publicUrl: undefined,
  };
}

export function outbound({
  credentials = {},
  timeoutMilliseconds = 45_000,
}: PartsOptions = {}): OutboundType {
  const options: OutboundOptions = {
    exchange: createExchange({ allowPrivate: true, ports: [] }),
    credentials: new Map(Object.entries(credentials)),
    timeoutMilliseconds,
    clock: systemClock,
    retryMilliseconds: 1,
  };
  return new Outbound(options);
}

export interface RequestOptions extends Partial<Omit<StepRequest, 'action'>> {
  readonly url?: string;
  readonly action?: Partial<PlannedAction>;
}

/** An attempt of a step, with the same key whatever the attempt. */
export function stepRequest(
  verb: StepVerb,
  command: Json,
  { url, action, ...options }: RequestOptions = {},
): StepRequest {
  return {
    ns: 'default',
    operation: 'op_0123456789abcdefghjkmnpqrs',
    step: `${verb}-shop.db`,
    verb,
    attempt: 1,
    idempotencyKey: `op_0123456789abcdefghjkmnpqrs:${verb}-shop.db`,
    fence: 7,
    environment: 'prod',
    resource: 'shop.db',
    outputs: {},
    actor: 'local',
    signal: new AbortController().signal,
    ...options,
    action: {
      name: 'make',
      executor: 'some',
      app: url === undefined ? {} : { url },
      command,
      timeoutSeconds: 3_600,
      maxAttempts: 5,
      ...action,
    },
  };
}
