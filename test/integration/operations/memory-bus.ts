import type { Command } from '../../../shared/operations/command.ts';
import type { OperationQueues } from '../../../shared/operations/operation-queues.ts';
import { type StepMessage, stepMessageId } from '../../../shared/operations/step-message.ts';
import type { Clock } from '../../../shared/platform/clock.ts';

export interface SentCommand {
  readonly command: Command;
  readonly session: string;
}

interface Waiting<Message> {
  readonly message: Message;
  readonly at: number;
}

/** The two queues in memory: known ids are dropped, scheduled messages wait for their time, and whoever takes messages decides what becomes of them. */
export class MemoryBus implements OperationQueues {
  readonly #clock: Clock;
  readonly #known = new Set<string>();
  #steps: Waiting<StepMessage>[] = [];
  #commands: SentCommand[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async send(messages: readonly StepMessage[]): Promise<void> {
    for (const message of messages) await this.schedule(message, 0);
  }

  async schedule(message: StepMessage, at: number): Promise<void> {
    const id = stepMessageId(message);
    if (this.#known.has(id)) return;
    this.#known.add(id);
    this.#steps.push({ message, at });
  }

  async sendCommand(command: Command, { session }: { readonly session: string }): Promise<void> {
    this.#commands.push({ command, session });
  }

  /** The messages whose time has come, which are then no longer there. */
  takeSteps(): StepMessage[] {
    const now = this.#clock.now();
    const due = this.#steps.filter(({ at }) => at <= now);
    this.#steps = this.#steps.filter(({ at }) => at > now);
    return due.map(({ message }) => message);
  }

  takeCommands(): SentCommand[] {
    const commands = this.#commands;
    this.#commands = [];
    return commands;
  }

  /** Puts a message there that was known already, as a broker does with one that nobody completed. */
  deliverAgain(message: StepMessage): void {
    this.#steps.push({ message, at: 0 });
  }

  commandAgain(sent: SentCommand): void {
    this.#commands.push(sent);
  }

  loseAll(): void {
    this.#steps = [];
    this.#commands = [];
  }
}
