import { z } from 'zod';
import type { AppSettings } from './app-settings.ts';
import type { RegisteredFunction } from './core-api.ts';
import { messageOf } from './log.ts';
import { describeFaults } from './read-json.ts';
import { type RetryPolicy, toRetryPolicy } from './retry.ts';
import type { BindingInfo, FunctionCallback, FunctionMetadata } from './rpc.ts';

const httpTrigger = z.object({
  type: z.literal('httpTrigger'),
  authLevel: z
    .string()
    .toLowerCase()
    .pipe(z.enum(['anonymous', 'function', 'admin'])),
  methods: z.array(z.string().toUpperCase()).default([]),
  route: z.string().optional(),
});

const timerTrigger = z.strictObject({
  type: z.literal('timerTrigger'),
  schedule: z.string(),
  runOnStartup: z.boolean().default(false),
  useMonitor: z.boolean().default(true),
});

const cosmosTrigger = z
  .strictObject({
    type: z.literal('cosmosDBTrigger'),
    connection: z.string().default('CosmosDB'),
    databaseName: z.string(),
    containerName: z.string(),
    leaseConnection: z.string().optional(),
    leaseDatabaseName: z.string().optional(),
    leaseContainerName: z.string().default('leases'),
    leaseContainerPrefix: z.string().default(''),
    createLeaseContainerIfNotExists: z.boolean().default(false),
    leasesContainerThroughput: z.int().positive().optional(),
    // How several instances share the leases: here one worker has them all.
    leaseAcquireInterval: z.int().positive().optional(),
    leaseExpirationInterval: z.int().positive().optional(),
    leaseRenewInterval: z.int().positive().optional(),
    // The one region is the preferred one.
    preferredLocations: z.string().optional(),
    feedPollDelay: z.int().positive().default(5000),
    maxItemsPerInvocation: z.int().nonnegative().default(0),
    startFromBeginning: z.boolean().default(false),
    startFromTime: z.iso.datetime({ offset: true }).optional(),
    changeFeedMode: z
      .literal('LatestVersion', "only 'LatestVersion' is supported here")
      .default('LatestVersion'),
  })
  .refine((options) => !(options.startFromBeginning && options.startFromTime), {
    path: ['startFromTime'],
    message: 'cannot be combined with startFromBeginning',
  });

const serviceBusTrigger = z
  .strictObject({
    type: z.literal('serviceBusTrigger'),
    connection: z.string(),
    queueName: z.string().optional(),
    topicName: z.string().optional(),
    subscriptionName: z.string().optional(),
    isSessionsEnabled: z.boolean().default(false),
    cardinality: z.literal('one', "only 'one' is supported here").default('one'),
    autoCompleteMessages: z.boolean().optional(),
    dataType: z.string().toLowerCase().optional(),
  })
  .refine(
    ({ queueName, topicName, subscriptionName }) =>
      (queueName === undefined) !== (topicName === undefined) &&
      (topicName === undefined) === (subscriptionName === undefined),
    { path: ['queueName'], message: 'either a queue or a topic and its subscription must be named' },
  );

const triggerSchema = z.discriminatedUnion('type', [
  httpTrigger,
  timerTrigger,
  cosmosTrigger,
  serviceBusTrigger,
]);
const TRIGGER_TYPES: readonly string[] = triggerSchema.options.map(({ shape }) => shape.type.value);
/** What every binding has besides its own options. */
const BINDING_PROPERTIES: ReadonlySet<string> = new Set(['name', 'direction', 'properties', 'sdkBinding']);

export type HttpTrigger = z.output<typeof httpTrigger>;
export type TimerTrigger = z.output<typeof timerTrigger>;
export type CosmosTrigger = z.output<typeof cosmosTrigger>;
export type ServiceBusTrigger = z.output<typeof serviceBusTrigger>;
type Trigger = z.output<typeof triggerSchema>;

/** A registered function, checked, with its settings resolved. */
export interface FunctionDefinition<TriggerType extends Trigger = Trigger> {
  readonly name: string;
  readonly metadata: FunctionMetadata;
  readonly callback: FunctionCallback;
  readonly bindingName: string;
  readonly trigger: TriggerType;
  readonly disabled: boolean;
  readonly retry?: RetryPolicy;
}

const FUNCTION_NAME = /^[a-z][a-z0-9_-]{0,127}$/i;

/**
 * Checks what an app registered. Azure drops a function that does not index; this host refuses to start, so that it
 * is noticed.
 *
 * @throws Error that names every fault.
 */
export async function defineFunctions(
  registered: readonly RegisteredFunction[],
  settings: AppSettings,
  defaultRetry: RetryPolicy | undefined,
): Promise<FunctionDefinition[]> {
  const names = new Set<string>();
  return ofEach(registered, async ({ metadata, callback }) => {
    const definition = defineFunction(metadata, callback, settings, defaultRetry);
    const key = definition.name.toLowerCase();
    if (names.has(key)) throw new Error('the name is taken (names ignore case)');
    names.add(key);
    return definition;
  });
}

/**
 * Makes something of each function, one after another.
 *
 * @throws Error that names every fault.
 */
export async function ofEach<Subject extends { readonly metadata: FunctionMetadata }, Made>(
  functions: readonly Subject[],
  make: (subject: Subject) => Promise<Made>,
): Promise<Made[]> {
  const made: Made[] = [];
  const faults: string[] = [];
  for (const subject of functions) {
    try {
      made.push(await make(subject));
    } catch (error) {
      faults.push(`function '${subject.metadata.name}': ${messageOf(error)}`);
    }
  }
  if (faults.length > 0) throw new Error(`The app cannot be started:\n  ${faults.join('\n  ')}`);
  return made;
}

function defineFunction(
  metadata: FunctionMetadata,
  callback: FunctionCallback,
  settings: AppSettings,
  defaultRetry: RetryPolicy | undefined,
): FunctionDefinition {
  const { name } = metadata;
  if (!FUNCTION_NAME.test(name)) throw new Error(`the name must match ${FUNCTION_NAME.source}`);
  if (name.toLowerCase() === 'host') throw new Error("the name 'host' is reserved");
  const [bindingName, binding] = triggerBinding(metadata);
  const trigger = parseTrigger(binding, settings);
  const retry = retryOf(metadata, trigger.type, defaultRetry);
  const disabled = settings.isDisabled(name);
  return { name, metadata, callback, bindingName, trigger, disabled, ...(retry && { retry }) };
}

/** The one trigger of a function; all else that it may bind here is the answer of an HTTP function. */
function triggerBinding({ bindings }: FunctionMetadata): [string, BindingInfo] {
  const triggers: [string, BindingInfo][] = [];
  const names = new Set<string>();
  for (const [name, binding] of Object.entries(bindings)) {
    if (names.has(name.toLowerCase()))
      throw new Error(`the binding name '${name}' is taken (names ignore case)`);
    names.add(name.toLowerCase());
    if (binding.type.toLowerCase().endsWith('trigger')) triggers.push([name, binding]);
    else if (name !== '$return' || binding.type.toLowerCase() !== 'http') {
      throw new Error(`a binding of type '${binding.type}' is not supported here; use the service's SDK`);
    }
  }
  const [trigger] = triggers;
  if (trigger === undefined || triggers.length > 1) throw new Error('there must be exactly one trigger');
  return trigger;
}

function parseTrigger(binding: BindingInfo, settings: AppSettings): Trigger {
  if (!TRIGGER_TYPES.includes(binding.type)) {
    throw new Error(
      `a trigger of type '${binding.type}' is not supported here (only ${TRIGGER_TYPES.join(', ')})`,
    );
  }
  if (binding.sdkBinding === true) throw new Error('sdkBinding is not supported here');
  const resolved = Object.entries(binding)
    .filter(([option]) => !BINDING_PROPERTIES.has(option))
    .map(([option, value]) => [option, typeof value === 'string' ? settings.resolve(value) : value]);
  const parsed = triggerSchema.safeParse(Object.fromEntries(resolved));
  if (parsed.success) return parsed.data;
  throw new Error(describeFaults(parsed.error).join('; '));
}

function retryOf(
  { retryOptions }: FunctionMetadata,
  triggerType: Trigger['type'],
  defaultRetry: RetryPolicy | undefined,
): RetryPolicy | undefined {
  const supported = triggerType === 'timerTrigger' || triggerType === 'cosmosDBTrigger';
  if (retryOptions === undefined) return supported ? defaultRetry : undefined;
  if (!supported) throw new Error(`a retry policy is not supported on a ${triggerType}`);
  return toRetryPolicy(retryOptions);
}

export function isFiredBy<Type extends Trigger['type']>(
  definition: FunctionDefinition,
  type: Type,
): definition is FunctionDefinition<Extract<Trigger, { type: Type }>> {
  return definition.trigger.type === type;
}
