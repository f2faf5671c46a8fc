import type { LaneValue, OperationValue, StepValue } from '../../../shared/operations/index.ts';
import { isOver, operationKey, operationScope, stepsPrefix } from '../../../shared/operations/index.ts';
import { isEnded, isUnderWay } from '../../../shared/operations/progress.ts';
import type { Change, Records } from '../../../shared/records/index.ts';
import { type Built, laneKey, partKey, placeKey, placeScope } from './build-rule.ts';
import { LIMITS, NS } from './operation-process.ts';
import type { OperationWorld } from './operation-world.ts';

const OPERATION_EDGES: Readonly<Record<string, readonly string[]>> = {
  none: ['queued', 'failed'],
  queued: ['queued', 'running', 'failed', 'cancelled'],
  running: ['running', 'succeeded', 'failed', 'cancelled'],
};

const STEP_EDGES: Readonly<Record<string, readonly string[]>> = {
  none: ['waiting', 'ready'],
  waiting: ['waiting', 'ready', 'running', 'cancelled', 'skipped'],
  ready: ['running', 'skipped'],
  running: ['running', 'waiting', 'succeeded', 'failed', 'cancelled'],
};

/** Goes through all that happened, and says what must not have. */
export class OperationJudge {
  readonly faults: string[] = [];
  readonly #world: OperationWorld;
  readonly #records: Records;

  constructor(world: OperationWorld) {
    this.#world = world;
    this.#records = world.observer.records;
  }

  async judge(ids: readonly string[], places: readonly string[]): Promise<void> {
    this.#expect(this.#world.unexpected.length === 0, `thrown: ${this.#world.unexpected.map(String).join()}`);
    const ends = new Map<string, OperationValue>();
    for (const id of ids) {
      const end = await this.#judgeOperation(id);
      if (end !== undefined) ends.set(id, end);
    }
    for (const id of this.#world.acknowledged) this.#expect(ends.has(id), `${id} was acknowledged`);
    this.#judgeStarts();
    for (const place of places) await this.#judgePlace(place, ends);
  }

  async #judgeOperation(id: string): Promise<OperationValue | undefined> {
    let value: OperationValue | undefined;
    const steps = new Map<string, StepValue>();
    const changes = await this.#records.changes<OperationValue | StepValue>(operationScope(NS, id), {
      above: 0,
    });
    for (const change of changes) {
      if (change.key === operationKey(id)) {
        const next = change.value as OperationValue;
        this.#expectEdge(OPERATION_EDGES, value?.state, next.state, id);
        value = next;
      } else {
        this.#takeStep(id, value, steps, change as Change<StepValue>);
      }
      const underWay = [...steps.values()].filter(isUnderWay).length;
      this.#expect(
        underWay <= LIMITS.stepsAtOnce,
        `${underWay} steps of ${id} are under way at ${change.revision}`,
      );
    }
    if (value === undefined) return undefined;
    this.#judgeEnd(id, value, [...steps.values()]);
    return value;
  }

  #takeStep(
    id: string,
    operation: OperationValue | undefined,
    steps: Map<string, StepValue>,
    { key, value: step, revision }: Change<StepValue>,
  ): void {
    const name = key.slice(stepsPrefix(id).length);
    const before = steps.get(name);
    if (step === undefined) {
      this.#expect(operation?.stepCount === undefined, `${key} was removed at ${revision}`);
      steps.delete(name);
      return;
    }
    const isRewritten = operation?.stepCount === undefined && step.attempts === 0;
    if (!isRewritten) this.#expectEdge(STEP_EDGES, before?.state, step.state, `${key} at ${revision}`);
    const attempts = before?.attempts ?? 0;
    this.#expect(
      step.attempts === attempts || step.attempts === attempts + 1,
      `attempts of ${key} at ${revision}`,
    );
    if (attempts === 0 && step.attempts === 1) {
      const isOpen = operation?.error === undefined && operation?.cancelRequestedAt === undefined;
      this.#expect(isOpen, `${key} began at ${revision} after the end had come`);
      const early = step.dependsOn.filter((other) => steps.get(other)?.state !== 'succeeded');
      this.#expect(early.length === 0, `${key} began before ${early.join()}`);
    }
    steps.set(name, step);
  }

  #judgeEnd(id: string, value: OperationValue, steps: readonly StepValue[]): void {
    this.#expect(isOver(value.state), `${id} is ${value.state}`);
    this.#expect(steps.every(isEnded), `steps of ${id} have not ended`);
    this.#expect((value.stepCount ?? steps.length) === steps.length, `${id} has ${steps.length} steps`);
    const states = new Set(steps.map(({ state }) => state));
    const planned = this.#world.commands.find(({ id: own }) => own === value.command.id)?.data as {
      readonly steps: readonly unknown[];
    };
    switch (value.state) {
      case 'succeeded':
        this.#expect(steps.length === planned.steps.length, `${id} has all steps`);
        this.#expect(
          [...states].every((state) => state === 'succeeded'),
          `${id} succeeded with ${[...states].join()}`,
        );
        break;
      case 'failed':
        this.#expect(value.error !== undefined, `${id} failed for a reason`);
        this.#expect(value.error?.step === undefined || states.has('failed'), `${id} failed by a step`);
        break;
      default:
        this.#expect(value.cancelRequestedAt !== undefined, `${id} was cancelled for no reason`);
    }
  }

  /** Each attempt has begun once, and all of a step with one key. */
  #judgeStarts(): void {
    const keys = new Map<string, string>();
    const seen = new Set<string>();
    for (const { operation, step, attempt, idempotencyKey, fence } of this.#world.starts) {
      const name = `${operation} ${step}`;
      this.#expect((keys.get(name) ?? idempotencyKey) === idempotencyKey, `the key of ${name} changed`);
      keys.set(name, idempotencyKey);
      this.#expect(!seen.has(`${name} ${attempt}`), `attempt ${attempt} of ${name} began twice`);
      seen.add(`${name} ${attempt}`);
      this.#expect(fence > 0, `${name} has no fence`);
    }
    this.#expect(new Set(keys.values()).size === keys.size, 'two steps have one key');
  }

  async #judgePlace(place: string, ends: ReadonlyMap<string, OperationValue>): Promise<void> {
    let lane: LaneValue = { waiting: [], fence: 0 };
    let built: Built | undefined;
    const entered: string[] = [];
    const active: string[] = [];
    const parts = new Map<string, Built>();
    const changes = await this.#records.changes<LaneValue | Built>(placeScope(place), { above: 0 });
    for (const { key, value, revision } of changes) {
      if (key === laneKey(place)) {
        const next = value as LaneValue;
        this.#takeLane(lane, next, { entered, active, at: `${place} ${revision}` });
        lane = next;
      } else if (key === placeKey(place)) {
        const next = value as Built;
        const isRight = next.state === 'building' ? built?.state !== 'building' : built?.by === next.by;
        this.#expect(
          isRight,
          `${place} is ${next.state} by ${next.by} after ${built?.state} by ${built?.by}`,
        );
        built = next;
      } else {
        this.#expect((value as Built).by === built?.by, `${key} was built by who is not at work`);
        this.#expect(built?.state === 'building', `${key} was built at ${revision}, after the end`);
        parts.set(`${(value as Built).by} ${key}`, value as Built);
      }
    }
    this.#expect(lane.active === undefined && lane.waiting.length === 0, `${place} is not left alone`);
    this.#expect(new Set(active).size === active.length, `${place}: something became active twice`);
    const began = new Set(active);
    const inOrder = entered.filter((id) => began.has(id));
    this.#expect(JSON.stringify([...new Set(inOrder)]) === JSON.stringify(active), `${place}: not in order`);
    if (built !== undefined) {
      const { by, state } = built;
      this.#expect(ends.get(by)?.state === state, `${place} is ${state}, and ${by} ${ends.get(by)?.state}`);
    }
    await this.#judgeParts(place, ends, parts);
  }

  #takeLane(
    before: LaneValue,
    after: LaneValue,
    { entered, active, at }: { entered: string[]; active: string[]; at: string },
  ): void {
    const known = new Set([...before.waiting, before.active?.operation]);
    const came = [after.active?.operation, ...after.waiting].filter(
      (id): id is string => id !== undefined && !known.has(id),
    );
    entered.push(...came);
    const isAnother = after.active !== undefined && after.active.operation !== before.active?.operation;
    if (isAnother) active.push(after.active?.operation ?? '');
    this.#expect(after.fence === before.fence + (isAnother ? 1 : 0), `${at}: the fence`);
    const isLetGo = before.active !== undefined && after.active?.operation !== before.active.operation;
    this.#expect(!isLetGo || before.active?.outcome !== undefined, `${at}: let go of without an end`);
    const isSame = before.active !== undefined && !isLetGo;
    const isKept =
      !isSame || before.active?.outcome === undefined || before.active.outcome === after.active?.outcome;
    this.#expect(isKept, `${at}: the end changed`);
  }

  /** What was built is what the steps say. */
  async #judgeParts(
    place: string,
    ends: ReadonlyMap<string, OperationValue>,
    parts: ReadonlyMap<string, Built>,
  ): Promise<void> {
    for (const [id, { session }] of ends) {
      if (session !== place) continue;
      for (const step of await this.#world.observer.operations.steps(NS, id)) {
        const part = parts.get(`${id} ${partKey(place, step.id)}`);
        const expected = step.state === 'skipped' ? undefined : step.state;
        this.#expect(
          part?.state === expected,
          `${step.id} of ${id} is ${step.state}, its part ${part?.state}`,
        );
      }
    }
  }

  #expectEdge(
    edges: Readonly<Record<string, readonly string[]>>,
    from: string | undefined,
    to: string,
    what: string,
  ): void {
    this.#expect(edges[from ?? 'none']?.includes(to) === true, `${what}: ${from} -> ${to}`);
  }

  #expect(holds: boolean, what: string): void {
    if (!holds) this.faults.push(what);
  }
}
