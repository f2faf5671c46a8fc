import type { ServiceBusClient, ServiceBusSender } from '@azure/service-bus';
import {
  Advance,
  Attempts,
  type CommandRule,
  CommandRules,
  Commands,
  type FindExecutor,
  Lanes,
  type OperationCallbacks,
  type OperationLimits,
  OperationSweeper,
  Operations,
  PlanWriter,
  ServiceBusOperationQueues,
  StepBoards,
  Steps,
  StepWorker,
} from '../shared/operations/index.ts';
import type { Clock } from '../shared/platform/clock.ts';
import type { CallerOf } from '../shared/platform/http/index.ts';
import type { Random } from '../shared/platform/random.ts';
import type { Settings } from '../shared/platform/settings.ts';
import { logLine } from '../shared/platform/telemetry/index.ts';
import { SERVICE_BUS_QUEUES } from '../shared/platform/topology.ts';
import type { Alarms, Records } from '../shared/records/index.ts';
import type { Makers } from './lazily.ts';

/** What handlers and triggers work with, of operations. */
export interface OperationServices {
  readonly commandRules: CommandRules;
  readonly commands: Commands;
  readonly operations: Operations;
  readonly advance: Advance;
  readonly attempts: Attempts;
}

/** With what only other services work with. */
export interface OperationParts extends OperationServices {
  readonly operationLimits: OperationLimits;
  readonly operationQueues: ServiceBusOperationQueues;
  readonly stepsSender: Promise<ServiceBusSender>;
  readonly commandsSender: Promise<ServiceBusSender>;
  readonly lanes: Lanes;
  readonly steps: Steps;
  readonly stepWorker: StepWorker;
  readonly stepBoards: StepBoards;
  readonly operationSweeper: OperationSweeper;
}

/** What they are made of. */
interface Foundation {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly serviceBus: Promise<ServiceBusClient>;
  readonly records: Records;
  readonly alarms: Alarms;
  readonly callerOf: CallerOf;
  readonly findExecutor: FindExecutor;
  readonly rules: readonly CommandRule[];
  readonly operationCallbacks: OperationCallbacks | undefined;
}

/** How the services of operations are made. */
export function operationServices(): Makers<OperationParts, OperationParts & Foundation> {
  return {
    operationLimits: ({ settings }) => ({
      stepsAtOnce: settings.SKERRY_STEPS_AT_ONCE,
      attemptTime: 1000 * settings.SKERRY_STEP_TIMEOUT_SECONDS,
      retryPauses: settings.SKERRY_STEP_RETRY_SECONDS.map((seconds) => 1000 * seconds),
      checkInterval: 1000 * settings.SKERRY_OPERATION_CHECK_SECONDS,
      retention: 24 * 60 * 60 * 1000 * settings.SKERRY_OPERATION_RETENTION_DAYS,
    }),
    stepsSender: async (app) => (await app.serviceBus).createSender(SERVICE_BUS_QUEUES.steps.name),
    commandsSender: async (app) => (await app.serviceBus).createSender(SERVICE_BUS_QUEUES.commands.name),
    operationQueues: (app) =>
      new ServiceBusOperationQueues({ steps: () => app.stepsSender, commands: () => app.commandsSender }),
    commandRules: ({ rules }) => new CommandRules(rules),
    operations: ({ records }) => new Operations(records),
    lanes: ({ records, alarms, commandRules, clock }) =>
      new Lanes({ records, alarms, rules: commandRules, clock }),
    stepBoards: ({ records }) => new StepBoards(records),
    stepWorker: ({ commandRules, findExecutor, callerOf, operationLimits }) =>
      new StepWorker({
        rules: commandRules,
        findExecutor,
        callerOf,
        attemptTime: operationLimits.attemptTime,
      }),
    steps: ({
      records,
      operations,
      lanes,
      operationQueues,
      stepWorker,
      stepBoards,
      operationLimits,
      clock,
    }) =>
      new Steps({
        records,
        operations,
        lanes,
        queues: operationQueues,
        worker: stepWorker,
        boards: stepBoards,
        limits: operationLimits,
        clock,
      }),
    advance: (app) =>
      new Advance({
        records: app.records,
        operations: app.operations,
        lanes: app.lanes,
        rules: app.commandRules,
        planWriter: new PlanWriter({
          records: app.records,
          clock: app.clock,
          random: app.random,
          stepsAtOnce: app.operationLimits.stepsAtOnce,
        }),
        steps: app.steps,
        callbacks: app.operationCallbacks,
        callerOf: app.callerOf,
        clock: app.clock,
        log: (message, error) => {
          const words = app.settings.SKERRY_LOCAL ? [message, error] : [logLine('error', [message, error])];
          console.error(...words);
        },
      }),
    attempts: (app) =>
      new Attempts({
        records: app.records,
        lanes: app.lanes,
        rules: app.commandRules,
        worker: app.stepWorker,
        steps: app.steps,
        boards: app.stepBoards,
        advance: app.advance,
        limits: app.operationLimits,
        clock: app.clock,
        random: app.random,
      }),
    commands: (app) =>
      new Commands({
        records: app.records,
        operations: app.operations,
        alarms: app.alarms,
        lanes: app.lanes,
        rules: app.commandRules,
        advance: app.advance,
        queues: app.operationQueues,
        callbacks: app.operationCallbacks,
        callerOf: app.callerOf,
        clock: app.clock,
        random: app.random,
      }),
    operationSweeper: (app) =>
      new OperationSweeper({
        records: app.records,
        operations: app.operations,
        commands: app.commands,
        lanes: app.lanes,
        advance: app.advance,
        alarms: app.alarms,
        rules: app.commandRules,
        callbacks: app.operationCallbacks,
        limits: app.operationLimits,
        clock: app.clock,
      }),
  };
}
