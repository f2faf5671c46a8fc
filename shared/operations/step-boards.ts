import { RecentMap } from '../platform/recent-map.ts';
import { type Records, type Scope, scopeId } from '../records/index.ts';
import { OPERATION_KIND, operationScope, type StepValue, stepsPrefix } from './operation.ts';
import type { OperationRecord } from './operation-record.ts';
import { StepBoard } from './step-board.ts';

/** Steps, of all operations, that a process remembers. */
const MAX_STEPS = 50_000;

interface Remembered {
  readonly board: StepBoard;
  /** Of the operation's scope; every change up to there is on the board. */
  revision: number;
  /** Whether something has changed that the board cannot follow. */
  isStale: boolean;
}

/** The boards of planned operations that this process works on: each is read once, and then follows what this process writes and reads of it. */
export class StepBoards {
  readonly #records: Records;
  readonly #remembered = new RecentMap<string, Remembered>(MAX_STEPS, ({ board }) => 1 + board.size);

  constructor(records: Records) {
    this.#records = records;
    records.onChange((scope, change) => {
      if (scope.kind === OPERATION_KIND) {
        this.#follow(scope, change.key, change.value as OperationRecord | undefined, change.revision);
      }
    });
  }

  /** As it was at some moment after this call began. */
  async current(ns: string, operation: string): Promise<StepBoard> {
    const scope = operationScope(ns, operation);
    const position = await this.#records.position(scope);
    const remembered = this.#find(scope);
    return remembered?.revision === position ? remembered.board : await this.#read(scope);
  }

  /** As this process knows it, with all that it wrote. */
  async known(ns: string, operation: string): Promise<StepBoard> {
    const scope = operationScope(ns, operation);
    return this.#find(scope)?.board ?? (await this.#read(scope));
  }

  #find(scope: Scope): Remembered | undefined {
    const remembered = this.#remembered.get(scopeId(scope));
    return remembered?.isStale === true ? undefined : remembered;
  }

  async #read(scope: Scope): Promise<StepBoard> {
    const prefix = stepsPrefix(scope.name);
    const { records, revision } = await this.#records.list<StepValue>(scope, { prefix });
    const board = new StepBoard(records.map(({ value }) => value));
    this.#remembered.set(scopeId(scope), { board, revision, isStale: false });
    return board;
  }

  #follow(scope: Scope, key: string, value: OperationRecord | undefined, revision: number): void {
    const remembered = this.#find(scope);
    if (remembered === undefined || revision <= remembered.revision) return;
    const isStep = key.startsWith(stepsPrefix(scope.name));
    const isKnown = !isStep || remembered.board.has(key.slice(stepsPrefix(scope.name).length));
    if (revision > remembered.revision + 1 || !isKnown || value === undefined) {
      remembered.isStale = true;
      return;
    }
    remembered.revision = revision;
    if (isStep) remembered.board.take(value as StepValue);
  }
}
