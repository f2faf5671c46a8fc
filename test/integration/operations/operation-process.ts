import type { Database } from '@azure/cosmos';
import {
  Advance,
  Attempts,
  type Command,
  type CommandRule,
  CommandRules,
  Commands,
  type Executor,
  Lanes,
  type OperationLimits,
  type OperationQueues,
  OperationSweeper,
  Operations,
  PlanWriter,
  StepBoards,
  type StepMessage,
  Steps,
  StepWorker,
} from '../../../shared/operations/index.ts';
import type { Clock } from '../../../shared/platform/clock.ts';
import type { CallerOf } from '../../../shared/platform/http/index.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { Alarms, type Json, Leases, Records, Sweep } from '../../../shared/records/index.ts';
import { anyMaker } from '../any-maker.ts';
import type { Gate } from '../interleaving.ts';
import { gatedContainers } from '../sessions/gated-container.ts';
import { buildRule } from './build-rule.ts';

export const NS = 'default';
export const AUTHOR = { actor: 'test' };

export const LIMITS: OperationLimits = {
  stepsAtOnce: 3,
  attemptTime: 20_000,
  retryPauses: [2_000, 10_000],
  checkInterval: 60_000,
  retention: 30 * 24 * 60 * 60 * 1000,
};

export interface ProcessOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly queues: OperationQueues;
  readonly executor: Executor;
  readonly limits?: Partial<OperationLimits>;
  readonly rules?: readonly CommandRule[];
  /** What senders of commands may do; everything unless told. */
  readonly callerOf?: CallerOf;
  /** Through which everything goes that others see. */
  readonly gate?: Gate;
}

/** Operations as one process of the app has them in its memory. */
export class OperationProcess {
  readonly records: Records;
  readonly operations: Operations;
  readonly lanes: Lanes;
  readonly commands: Commands;
  readonly advance: Advance;
  readonly attempts: Attempts;
  readonly sweep: Sweep;

  constructor({
    database,
    clock,
    queues,
    executor,
    limits: own,
    rules: given,
    gate,
    callerOf = anyMaker,
  }: ProcessOptions) {
    const limits = { ...LIMITS, ...own };
    const random = systemRandom;
    const container = gatedContainers(database, gate);
    const records = new Records({ container: container(COSMOS_CONTAINERS.records.id), clock, random });
    const leases = new Leases({ container: container(COSMOS_CONTAINERS.leases.id), clock });
    const alarms = new Alarms(leases, clock);
    const rules = new CommandRules(given ?? [buildRule as CommandRule]);
    const operations = new Operations(records);
    const lanes = new Lanes({ records, alarms, rules, clock });
    const worker = new StepWorker({
      rules,
      findExecutor: async (name) => (name === 'test' ? executor : undefined),
      callerOf,
      attemptTime: limits.attemptTime,
    });
    const boards = new StepBoards(records);
    const steps = new Steps({ records, operations, lanes, queues, worker, boards, limits, clock });
    const planWriter = new PlanWriter({ records, clock, random, stepsAtOnce: limits.stepsAtOnce });
    const log = () => {};
    const advance = new Advance({
      records,
      operations,
      lanes,
      rules,
      planWriter,
      steps,
      callerOf,
      clock,
      log,
    });
    this.records = records;
    this.operations = operations;
    this.lanes = lanes;
    this.advance = advance;
    this.attempts = new Attempts({
      records,
      lanes,
      rules,
      worker,
      steps,
      boards,
      advance,
      limits,
      clock,
      random,
    });
    this.commands = new Commands({
      records,
      operations,
      alarms,
      lanes,
      rules,
      advance,
      queues,
      callerOf,
      clock,
      random,
    });
    const sweeper = new OperationSweeper({
      records,
      operations,
      commands: this.commands,
      lanes,
      advance,
      alarms,
      rules,
      limits,
      clock,
    });
    this.sweep = new Sweep({ records, leases, clock, sweepers: [sweeper] });
  }

  /** Does what a message of the queue of steps asks for. */
  async handle(message: StepMessage): Promise<void> {
    await (message.task === 'advance' ? this.advance.operation(message) : this.attempts.handle(message));
  }
}

export function buildCommand(id: string, data: Readonly<Record<string, Json>>): Command {
  return {
    specversion: '1.0',
    id,
    source: '/tests',
    type: 'test.build',
    ns: NS,
    actor: 'test',
    data,
  };
}

/** Steps that each wait for the one before. */
export function chain(...ids: readonly string[]) {
  return ids.map((id, at) => ({ id, dependsOn: at === 0 ? [] : [ids[at - 1] ?? ''] }));
}
