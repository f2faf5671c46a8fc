import type { Records, StoredRecord } from '../records/index.ts';
import type { Operation } from './command-rule.ts';
import {
  OPERATION_KIND,
  type OperationState,
  type OperationValue,
  operationKey,
  operationScope,
  type StepValue,
  stepsPrefix,
} from './operation.ts';
import { toOperation, unknownOperation } from './operation-record.ts';

export interface OperationFilter {
  /** Of the operation's command: `ENVIRONMENT`, `template:ID`, `bundle:NAME`. */
  readonly session?: string | undefined;
  readonly state?: OperationState | undefined;
  readonly type?: string | undefined;
}

export interface OperationPage {
  /** Newest first; a page may be short and have a next one, where a filter leaves out much. */
  readonly items: readonly Operation[];
  /** Cursor of the next page; absent on the last one. */
  readonly next?: string;
}

/** An operation with its steps, as they stood together. */
export interface WholeOperation {
  readonly operation: Operation;
  /** In the order of their ids. */
  readonly steps: readonly StepValue[];
  /** Of the operation's scope: it differs whenever anything of it does. */
  readonly revision: number;
}

/** Operations as everybody sees them. All methods throw SkerryError `unavailable`. */
export class Operations {
  readonly #records: Records;

  constructor(records: Records) {
    this.#records = records;
  }

  async find(ns: string, id: string): Promise<Operation | undefined> {
    const record = await this.#records.get<OperationValue>(operationScope(ns, id), operationKey(id));
    return record && toOperation(ns, record);
  }

  /** @throws SkerryError `not-found`. */
  async get(ns: string, id: string): Promise<Operation> {
    const operation = await this.find(ns, id);
    if (operation === undefined) {
      throw unknownOperation(id);
    }
    return operation;
  }

  /** @throws SkerryError `not-found`. */
  async whole(ns: string, id: string): Promise<WholeOperation> {
    const { records, revision } = await this.#records.listAll<OperationValue | StepValue>(
      operationScope(ns, id),
      { prefix: operationKey(id) },
    );
    const own = records.find(({ key }) => key === operationKey(id)) as
      | StoredRecord<OperationValue>
      | undefined;
    if (own === undefined) {
      throw unknownOperation(id);
    }
    const steps = records.filter(({ key }) => key.startsWith(stepsPrefix(id)));
    return { operation: toOperation(ns, own), steps: steps.map(({ value }) => value as StepValue), revision };
  }

  /** In the order of their ids; none for an operation that has not been planned. */
  async steps(ns: string, id: string): Promise<readonly StepValue[]> {
    const prefix = stepsPrefix(id);
    const { records } = await this.#records.listAll<StepValue>(operationScope(ns, id), { prefix });
    return records.map(({ value }) => value);
  }

  /** @throws SkerryError `invalid` for a faulty cursor. */
  async list(
    ns: string,
    {
      session,
      state,
      type,
      limit,
      after,
    }: OperationFilter & { readonly limit: number; readonly after?: string | undefined },
  ): Promise<OperationPage> {
    const page = await this.#records.listed<OperationValue>(ns, OPERATION_KIND, {
      order: 'descending',
      limit,
      after,
      where: ({ value }) =>
        (session === undefined || value.session === session) &&
        (state === undefined || value.state === state) &&
        (type === undefined || value.type === type),
    });
    const items = page.records.map(({ record }) => toOperation(ns, record));
    return { items, ...(page.next !== undefined && { next: page.next }) };
  }
}
