import type { PageOptions } from '../config/apps.ts';
import { type Page, pages } from '../transport/paged.ts';
import { segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';
import { type WatchOptions, watch } from '../watch/watch.ts';
import {
  isOver,
  type LongRunningOperation,
  type OperationState,
  type OperationWithSteps,
} from './operation.ts';
import { OperationMirror, type OperationUpdate } from './operation-mirror.ts';

export interface OperationFilter {
  readonly environment?: string | undefined;
  readonly session?: string | undefined;
  readonly state?: OperationState | undefined;
  /** Of the command, such as `environment.create`. */
  readonly type?: string | undefined;
}

export type FollowOptions = Pick<WatchOptions, 'signal' | 'onFault' | 'transport'>;

/** Work that takes its time: what commands became, and how it goes. */
export class Operations {
  readonly #transport: Transport;
  readonly #ns: string;

  constructor(transport: Transport, ns: string) {
    this.#transport = transport;
    this.#ns = ns;
  }

  /** With its steps; undefined where there is no such operation. */
  async get(id: string, { signal }: CallOptions = {}): Promise<OperationWithSteps | undefined> {
    return await orUndefined(this.#transport.json<OperationWithSteps>({ path: pathOf(id), signal }));
  }

  /** One page, the newest first. */
  async listPage({
    signal,
    ...query
  }: OperationFilter & PageOptions = {}): Promise<Page<LongRunningOperation>> {
    return await this.#transport.json({ path: 'operations', query, signal });
  }

  /** All operations that are still known, the newest first. */
  list(options: OperationFilter & CallOptions = {}): AsyncGenerator<LongRunningOperation, void, undefined> {
    return pages((after) => this.listPage({ ...options, after }));
  }

  /**
   * Asks it to end: no further steps begin, and those that run end. It is over when it says so.
   *
   * @throws SkerryProblem of status 404 where there is none, 409 where it is over.
   */
  async cancel(id: string, { signal }: CallOptions = {}): Promise<LongRunningOperation> {
    return await this.#transport.json<LongRunningOperation>({
      method: 'POST',
      path: `${pathOf(id)}/cancel`,
      isRepeatable: true,
      isRefusedWhenDone: true,
      signal,
    });
  }

  /**
   * What is there of an operation, then whatever changes, until it is over. One that is not there yet is waited for: a command on the
   * bus takes its time.
   */
  async *follow(id: string, options: FollowOptions = {}): AsyncGenerator<OperationUpdate, void, undefined> {
    const mirror = new OperationMirror(id, this.#ns);
    for await (const event of watch(this.#transport, `/op/${id}`, options)) {
      if (event.kind === 'changes' && event.changes.length === 0) continue;
      const update = mirror.take(event);
      if (update === undefined) continue;
      yield update;
      if (isOver(update.operation)) return;
    }
  }

  /** Waits until an operation is over, however it ended. */
  async wait(id: string, options: FollowOptions = {}): Promise<OperationWithSteps> {
    for await (const { operation } of this.follow(id, options)) {
      if (isOver(operation)) return operation;
    }
    throw new Error(`The operation ${id} was not followed to its end.`);
  }
}

function pathOf(id: string): string {
  return `operations/${segment(id)}`;
}
