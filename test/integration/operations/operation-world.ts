import type { Database } from '@azure/cosmos';
import type {
  Command,
  Executor,
  StepMessage,
  StepOutcome,
  StepRequest,
} from '../../../shared/operations/index.ts';
import { isUnavailable, SkerryError, unavailable } from '../../../shared/platform/errors.ts';
import { TestClock } from '../registry/registry-fixture.ts';
import { CrashActor, type Fate } from './crash-actor.ts';
import { MemoryBus } from './memory-bus.ts';
import { AUTHOR, buildCommand, NS, OperationProcess } from './operation-process.ts';

const PROCESSES = 3;
/** Of a hundred steps, how many are met by each fate that is none of their own. */
const FATES: readonly (readonly [Fate, number])[] = [
  ['killed before', 1.5],
  ['killed after', 1.5],
  ['no answer, no effect', 1.5],
  ['no answer, effect', 1.5],
];
const LOST = 0.1;
const DOUBLED = 0.1;
/** Rounds of the sweep within which everything has to come to its end once nothing goes wrong any more. */
const MAX_ROUNDS = 60;

export type Behaviour =
  | 'succeeds'
  | 'fails once'
  | 'fails'
  | 'always fails passing'
  | 'throws'
  | 'is pending'
  | 'is late';

export interface PlannedCommand {
  readonly place: number;
  readonly steps: readonly {
    readonly id: string;
    readonly dependsOn: readonly string[];
    readonly behaviour: Behaviour;
  }[];
  readonly isOverHttp: boolean;
  readonly isCancelled: boolean;
  readonly refusedBy?: 'begin' | 'plan' | undefined;
}

interface Mortal {
  readonly actor: CrashActor;
  readonly process: OperationProcess;
}

type Task = { readonly run: (process: OperationProcess) => Promise<unknown>; readonly again?: () => void };

/** Several processes that take commands and steps off a bus that loses, doubles and reorders messages, and die at any step. */
export class OperationWorld {
  readonly clock = new TestClock();
  readonly bus = new MemoryBus(this.clock);
  readonly starts: Pick<StepRequest, 'operation' | 'step' | 'attempt' | 'idempotencyKey' | 'fence'>[] = [];
  /** Ids of operations that were acknowledged. */
  readonly acknowledged = new Set<string>();
  /** What was thrown besides that something is out of reach. */
  readonly unexpected: unknown[] = [];
  readonly commands: readonly Command[];
  readonly observer: OperationProcess;
  readonly faults = { kills: 0, lostAnswers: 0, steps: 0 };
  readonly #random: () => number;
  readonly #database: Database;
  readonly #behaviours = new Map<string, Behaviour>();
  readonly #planned: readonly PlannedCommand[];
  readonly #mortals: (Mortal | undefined)[] = Array.from({ length: PROCESSES });

  constructor(database: Database, planned: readonly PlannedCommand[], name: string, random: () => number) {
    this.#database = database;
    this.#random = random;
    this.#planned = planned;
    this.commands = planned.map(({ place, steps, refusedBy }, index) =>
      buildCommand(`${name}:${index}`, {
        place: `${name}-${place}`,
        steps: steps.map(({ id, dependsOn }) => ({ id, dependsOn: [...dependsOn] })),
        ...(refusedBy !== undefined && { refusedBy }),
      }),
    );
    for (const { steps } of planned) {
      for (const { id, behaviour } of steps) this.#behaviours.set(id, behaviour);
    }
    this.observer = this.#open();
  }

  /** @param ids of the operations of the commands, in their order. */
  async live(ids: readonly string[], steps: number): Promise<void> {
    const toSend = this.commands.flatMap((command, index) => [{ command, index }]);
    for (let step = 0; step < steps; step += 1) {
      if (this.#random() < 0.06) this.clock.advance(Math.floor(45 * this.#random()));
      const at = Math.floor(PROCESSES * this.#random());
      const mortal = this.#aliveAt(at);
      if (mortal.actor.isBusy) {
        await this.#step(mortal);
        continue;
      }
      const task = this.#nextTask(ids, toSend);
      if (task === undefined) {
        this.clock.advance(10);
        continue;
      }
      this.#pending.set(mortal.actor, task);
      await mortal.actor.start(
        () => task.run(mortal.process),
        (isDone, error) => {
          this.#pending.delete(mortal.actor);
          if (!isDone) task.again?.();
          if (!isDone && !isUnavailable(error)) this.unexpected.push(error);
        },
      );
    }
    for (const { command, index } of toSend) this.#put(command, index);
    for (const mortal of this.#mortals) {
      if (mortal?.actor.isBusy === true) this.#kill(mortal);
    }
  }

  /** Nothing goes wrong any more, but all messages of the past are lost. */
  async end(ids: readonly string[]): Promise<void> {
    const commands = this.bus.takeCommands();
    this.bus.loseAll();
    const process = this.#open();
    for (const { command, session } of commands) await process.commands.accept(command, session);
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      this.clock.advance(65);
      const { failed } = await process.sweep.run();
      for (const { error } of failed) unlessUnavailable(error);
      for (let messages = this.bus.takeSteps(); messages.length > 0; messages = this.bus.takeSteps()) {
        // Some of the work takes its time, which other writes do not bear: what they were to do, the sweep has done again.
        await Promise.all(messages.map((message) => process.handle(message).catch(unlessUnavailable)));
      }
      const found = await Promise.all(ids.map((id) => process.operations.find(NS, id)));
      if (found.every((one) => one === undefined || one.endedAt !== undefined)) {
        // Who died after an operation was over may have left its lane.
        this.clock.advance(65);
        await process.sweep.run();
        return;
      }
    }
    const states = await Promise.all(ids.map((id) => process.operations.find(NS, id)));
    throw new Error(`Something is stuck for ever: ${JSON.stringify(states)}`);
  }

  readonly #pending = new Map<CrashActor, Task>();

  async #step(mortal: Mortal): Promise<void> {
    this.faults.steps += 1;
    const fate = this.#fate();
    if (fate.startsWith('killed')) this.faults.kills += 1;
    if (fate.startsWith('no')) this.faults.lostAnswers += 1;
    await mortal.actor.step(fate, this.#random());
    if (mortal.actor.isDead) this.#bury(mortal);
  }

  #kill(mortal: Mortal): void {
    mortal.actor.kill();
    this.#bury(mortal);
  }

  /** What the process was at, the broker delivers again. */
  #bury({ actor }: Mortal): void {
    this.#pending.get(actor)?.again?.();
    this.#pending.delete(actor);
  }

  #fate(): Fate {
    let chance = 100 * this.#random();
    for (const [fate, share] of FATES) {
      chance -= share;
      if (chance < 0) return fate;
    }
    return 'taken';
  }

  #nextTask(ids: readonly string[], toSend: { command: Command; index: number }[]): Task | undefined {
    const chance = this.#random();
    const next = toSend[0];
    if (next !== undefined && chance < 0.3) {
      toSend.shift();
      const { command, index } = next;
      if (this.#planned[index]?.isOverHttp !== true) {
        this.#put(command, index);
        return undefined;
      }
      return {
        run: async ({ commands }) => {
          this.acknowledged.add((await commands.send(command)).id);
        },
      };
    }
    if (chance < 0.36) return { run: async ({ sweep }) => await sweep.run() };
    if (chance < 0.4) {
      const index = Math.floor(ids.length * this.#random());
      const id = ids[index] ?? '';
      if (this.#planned[index]?.isCancelled === true) {
        return { run: async ({ commands }) => await commands.cancel(NS, id, AUTHOR).catch(unlessRefused) };
      }
    }
    return this.#takeCommand() ?? this.#takeStep();
  }

  #takeCommand(): Task | undefined {
    const [sent, ...rest] = this.bus.takeCommands();
    for (const other of rest) this.bus.commandAgain(other);
    if (sent === undefined) return undefined;
    if (this.#random() < DOUBLED) this.bus.commandAgain(sent);
    return {
      run: ({ commands }) => commands.accept(sent.command, sent.session),
      again: () => this.bus.commandAgain(sent),
    };
  }

  #takeStep(): Task | undefined {
    const messages = this.bus.takeSteps();
    const [message] = messages.splice(Math.floor(messages.length * this.#random()), 1);
    for (const other of messages) this.bus.deliverAgain(other);
    if (message === undefined || this.#random() < LOST) return undefined;
    if (this.#random() < DOUBLED) this.bus.deliverAgain(message);
    return { run: (process) => process.handle(message), again: () => this.bus.deliverAgain(message) };
  }

  #put(command: Command, index: number): void {
    this.bus.commandAgain({ command, session: String((command.data as { place: string }).place) });
    if (this.#planned[index]?.isOverHttp === true && this.#random() < 0.3)
      this.bus.commandAgain({
        command,
        session: String((command.data as { place: string }).place),
      });
  }

  #aliveAt(at: number): Mortal {
    const mortal = this.#mortals[at];
    if (mortal !== undefined && !mortal.actor.isDead) return mortal;
    const actor = new CrashActor();
    const born = { actor, process: this.#open(actor) };
    this.#mortals[at] = born;
    return born;
  }

  #open(actor?: CrashActor): OperationProcess {
    const gate = actor?.gate;
    const executor = this.#executor(actor);
    const { clock, bus } = this;
    const queues =
      gate === undefined
        ? bus
        : {
            send: (messages: readonly StepMessage[]) => sent(gate('send', () => bus.send(messages))),
            schedule: (message: StepMessage, at: number) =>
              sent(gate('send', () => bus.schedule(message, at))),
            sendCommand: (command: Command, to: { readonly session: string }) =>
              sent(gate('send', () => bus.sendCommand(command, to))),
          };
    return new OperationProcess({
      database: this.#database,
      clock,
      queues,
      executor,
      ...(gate !== undefined && { gate }),
    });
  }

  #executor(actor: CrashActor | undefined): Executor {
    const pass = async <Answer>(run: () => Promise<Answer>) =>
      actor === undefined ? await run() : await actor.gate('executor', run);
    return {
      start: (request) =>
        pass(async () => {
          const { operation, step, attempt, idempotencyKey, fence } = request;
          this.starts.push({ operation, step, attempt, idempotencyKey, fence });
          return this.#outcome(request);
        }),
      poll: () => pass(async () => ({ state: 'succeeded', outputs: { polled: true } })),
      cancel: () => pass(async () => {}),
    };
  }

  #outcome({ step, attempt }: StepRequest): StepOutcome {
    switch (this.#behaviours.get(step)) {
      case 'fails':
        return { state: 'failed', reason: 'It cannot be built.', isPassing: false };
      case 'always fails passing':
        return { state: 'failed', reason: 'Not now.', isPassing: true };
      case 'fails once':
        return attempt === 1
          ? { state: 'failed', reason: 'Not now.', isPassing: true }
          : { state: 'succeeded' };
      case 'throws':
        if (attempt < 2) throw new Error('It broke off.');
        return { state: 'succeeded' };
      case 'is pending':
        return { state: 'pending', handle: { of: step }, pollAfterSeconds: 5 };
      case 'is late':
        this.clock.advance(attempt === 1 ? 40 : 0);
        return { state: 'succeeded' };
      default:
        return { state: 'succeeded', outputs: { attempt } };
    }
  }
}

async function sent(sending: Promise<void>): Promise<void> {
  await sending.catch((cause: unknown) => {
    throw unavailable('The bus does not answer.', { cause });
  });
}

function unlessUnavailable(error: unknown): void {
  if (!isUnavailable(error)) throw error;
}

function unlessRefused(error: unknown): void {
  if (!(error instanceof SkerryError)) throw error;
}
