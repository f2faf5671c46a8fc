import { once } from 'node:events';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import {
  type CommandRule,
  type Executor,
  type OperationLimits,
  operationScope,
  type StepOutcome,
  type StepRequest,
  stepKey,
} from '../../../shared/operations/index.ts';
import { MAX_WAITING } from '../../../shared/operations/lane.ts';
import { tooManyRequests } from '../../../shared/platform/errors.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import type { Gate } from '../interleaving.ts';
import { TestClock } from '../registry/registry-fixture.ts';
import { type Built, laneKey, partKey, placeKey, placeScope } from './build-rule.ts';
import { CrashActor } from './crash-actor.ts';
import { MemoryBus } from './memory-bus.ts';
import { AUTHOR, buildCommand, chain, NS, OperationProcess } from './operation-process.ts';

let cosmos: CosmosFixture;

beforeAll(async () => {
  cosmos = await startCosmos();
});

afterAll(async () => {
  await cosmos?.stop();
});

type Work = (request: StepRequest, handle?: unknown) => StepOutcome | Promise<StepOutcome>;

class World {
  readonly clock = new TestClock();
  readonly bus = new MemoryBus(this.clock);
  readonly requests: StepRequest[] = [];
  work: Work = () => ({ state: 'succeeded' });
  readonly executor: Executor = {
    start: async (request) => {
      this.requests.push(request);
      return await this.work(request);
    },
    poll: async (request, handle) => await this.work(request, handle),
    cancel: async ({ step }) => {
      this.cancelled.push(step);
    },
  };
  readonly cancelled: string[] = [];
  readonly process: OperationProcess;
  readonly #limits: Partial<OperationLimits>;

  constructor(limits: Partial<OperationLimits> = {}) {
    this.#limits = limits;
    this.process = this.open();
  }

  open(gate?: Gate, rules?: readonly CommandRule[]): OperationProcess {
    const { clock, bus, executor } = this;
    const limits = this.#limits;
    return new OperationProcess({
      database: cosmos.connect(),
      clock,
      queues: bus,
      executor,
      limits,
      ...(gate !== undefined && { gate }),
      ...(rules !== undefined && { rules }),
    });
  }

  /** Handles messages until there are none whose time has come. */
  readonly run = async (): Promise<void> => {
    const { process } = this;
    for (;;) {
      const commands = this.bus.takeCommands();
      const messages = this.bus.takeSteps();
      if (commands.length + messages.length === 0) return;
      for (const { command, session } of commands) await process.commands.accept(command, session);
      await Promise.all(messages.map((message) => process.handle(message)));
    }
  };

  readonly built = async (place: string): Promise<string | undefined> => {
    const record = await this.process.records.get<Built>(placeScope(place), placeKey(place));
    return record?.value.state;
  };
}

const done = { state: 'succeeded' } as const;

function newWorld(limits?: Partial<OperationLimits>): World {
  return new World(limits);
}

function laneOf(place: string) {
  return { scope: placeScope(place), key: laneKey(place), session: place };
}

let places = 0;
function newPlace(): string {
  places += 1;
  return `place${places}`;
}

it('builds a chain of steps, one after the other, and tells the end when the place is built', async () => {
  const world = newWorld();
  const place = newPlace();
  const accepted = await world.process.commands.send(
    buildCommand('1', { place, steps: chain('a', 'b', 'c') }),
  );
  expect(accepted).toMatchObject({ state: 'queued', session: place });
  await world.run();
  const { operation, steps } = await world.process.operations.whole(NS, accepted.id);
  expect(operation).toMatchObject({ state: 'succeeded', stepCount: 3, fence: 1 });
  expect(steps.map(({ id, state, attempts }) => [id, state, attempts])).toEqual([
    ['a', 'succeeded', 1],
    ['b', 'succeeded', 1],
    ['c', 'succeeded', 1],
  ]);
  expect(world.requests.map(({ step }) => step)).toEqual(['a', 'b', 'c']);
  expect(await world.built(place)).toBe('succeeded');
  const part = await world.process.records.get<Built>(placeScope(place), partKey(place, 'c'));
  expect(part?.value).toEqual({ state: 'succeeded', by: accepted.id });
});

it('does the same command once, however often it comes, and refuses another one of the same id', async () => {
  const { process, bus, run, requests } = newWorld();
  const place = newPlace();
  const command = buildCommand('once', { place, steps: chain('a') });
  const { id } = await process.commands.send(command);
  await process.commands.accept(command, place);
  bus.commandAgain({ command, session: place });
  await run();
  const again = await process.commands.send(command);
  expect(again).toMatchObject({ id, state: 'succeeded' });
  expect(await process.commands.accept(command, place)).toMatchObject({ id, state: 'succeeded' });
  await run();
  expect(requests).toHaveLength(1);
  const other = buildCommand('once', { place, steps: chain('b') });
  await expect(process.commands.send(other)).rejects.toMatchObject({ kind: 'conflict' });
});

it('makes a failed operation of a command from the bus that cannot be done, and throws where it came over HTTP', async () => {
  const { process, run } = newWorld();
  const place = newPlace();
  const cases = [
    [{ ...buildCommand('type', {}), type: 'test.nothing' }, place, 'test.nothing'],
    [buildCommand('data', { place, steps: 1 }), place, 'data.steps'],
    [buildCommand('session', { place, steps: [] }), 'elsewhere', 'session'],
    [buildCommand('bus-check', { place, steps: [], refusedBy: 'check' }), place, 'refused by check'],
  ] as const;
  for (const [command, session, word] of cases) {
    const failed = await process.commands.accept(command, session);
    expect(failed).toMatchObject({ state: 'failed', error: { reason: expect.stringContaining(word) } });
    expect(await process.operations.get(NS, failed.id)).toMatchObject({ state: 'failed', session });
  }
  await expect(process.commands.send(cases[0][0])).rejects.toMatchObject({ kind: 'unprocessable' });
  await expect(process.commands.send(buildCommand('x', { place, steps: 1 }))).rejects.toMatchObject({
    kind: 'invalid',
    field: 'data.steps',
  });
  const refused = buildCommand('check', { place, steps: [], refusedBy: 'check' });
  await expect(process.commands.send(refused)).rejects.toMatchObject({ kind: 'unprocessable' });
  await run();
  expect((await process.lanes.read(laneOf(place))).fence).toBe(0);
});

it('asks again whether it can be done when a command has waited, and changes nothing where it cannot', async () => {
  const { process, run, built } = newWorld();
  const place = newPlace();
  const first = buildCommand('first', { place, steps: chain('a'), refusedBy: 'begin' });
  const second = buildCommand('second', { place, steps: chain('a'), refusedBy: 'check' });
  await process.commands.send(first);
  const { id, state } = await process.commands.accept(second, place);
  expect(state).toBe('queued');
  await run();
  expect(await process.operations.get(NS, id)).toMatchObject({
    state: 'failed',
    error: { reason: 'It is refused by check.' },
  });
  expect(await built(place)).toBeUndefined();
});

it('fails what begin or plan refuses, and lets the next one begin; begin leaves nothing behind', async () => {
  const { process, run, built } = newWorld();
  const place = newPlace();
  const send = async (id: string, more: Record<string, string>) =>
    (await process.commands.send(buildCommand(id, { place, steps: chain('a'), ...more }))).id;
  const begin = await send('begin', { refusedBy: 'begin' });
  await run();
  expect(await built(place)).toBeUndefined();
  const plan = await send('plan', { refusedBy: 'plan' });
  await run();
  expect(await built(place)).toBe('failed');
  const good = await send('good', {});
  await run();
  const states = await Promise.all([begin, plan, good].map((id) => process.operations.get(NS, id)));
  expect(states.map(({ state, error }) => [state, error?.reason])).toEqual([
    ['failed', 'It is refused by begin.'],
    ['failed', 'It is refused by plan.'],
    ['succeeded', undefined],
  ]);
});

it('tries a step again after growing pauses, and fails the operation with its last error; what had not begun is skipped', async () => {
  const world = newWorld();
  const { process, clock, run, requests } = world;
  const place = newPlace();
  world.work = ({ step, attempt }) =>
    step === 'bad'
      ? { state: 'failed', reason: `Attempt ${attempt}.`, isPassing: true, log: [`l${attempt}`] }
      : done;
  const steps = [...chain('bad', 'after'), { id: 'good', dependsOn: [] }];
  const { id } = await process.commands.send(buildCommand('retry', { place, steps }));
  await run();
  for (const [seconds, attempts] of [
    [1, 1],
    [2, 2],
    [7, 2],
    [6, 3],
  ] as const) {
    clock.advance(seconds);
    await run();
    expect(requests.filter(({ step }) => step === 'bad')).toHaveLength(attempts);
  }
  expect(new Set(requests.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(2);
  const { operation, steps: ended } = await process.operations.whole(NS, id);
  expect(operation).toMatchObject({ state: 'failed', error: { reason: 'Attempt 3.', step: 'bad' } });
  expect(ended.map(({ id: step, state }) => [step, state])).toEqual([
    ['after', 'skipped'],
    ['bad', 'failed'],
    ['good', 'succeeded'],
  ]);
  expect(ended[1]?.log).toEqual(['l1', 'l2', 'l3']);
});

it('keeps what stands although a step failed, for its next attempt and for what comes after it', async () => {
  const world = newWorld();
  const { process, clock, run, requests } = world;
  const place = newPlace();
  const answers: Pick<Extract<StepOutcome, { state: 'failed' }>, 'outputs' | 'isPassing'>[] = [
    { isPassing: true, outputs: { a: 1, b: 1 } },
    { isPassing: true, outputs: { b: 2 } },
    { isPassing: false },
  ];
  world.work = ({ attempt }) => ({
    ...{ state: 'failed', reason: 'No.', isPassing: false },
    ...answers[attempt - 1],
  });
  const { id } = await process.commands.send(buildCommand('stands', { place, steps: chain('x') }));
  await run();
  for (const seconds of [3, 13]) {
    clock.advance(seconds);
    await run();
  }
  expect(requests.map(({ outputs }) => outputs)).toEqual([{}, { a: 1, b: 1 }, { a: 1, b: 2 }]);
  const [step] = await process.operations.steps(NS, id);
  expect(step).toMatchObject({ state: 'failed', error: 'No.', outputs: { a: 1, b: 2 } });

  world.work = () => ({
    ...{ state: 'failed', reason: 'No.', isPassing: true },
    outputs: { x: 'x'.repeat(16 * 1024) },
  });
  const large = await process.commands.send(buildCommand('stands large', { place, steps: chain('x') }));
  await run();
  const [bounded] = await process.operations.steps(NS, large.id);
  expect(bounded).toMatchObject({ state: 'failed', error: 'The executor answered more than 16 KiB.' });
  expect(bounded).not.toHaveProperty('outputs');
});

it('asks after work that goes on elsewhere, until it is done or its time is over', async () => {
  const world = newWorld();
  const { process, clock, run, requests, cancelled } = world;
  const place = newPlace();
  let isDone = false;
  world.work = ({ step }, handle) => {
    if (handle !== undefined && isDone && step === 'a')
      return { state: 'succeeded', outputs: { handle: String(handle) } };
    return { state: 'pending', handle: 'run-7', pollAfterSeconds: 30 };
  };
  const data = { place, steps: [...chain('a'), ...chain('b')], timeoutSeconds: 100 };
  const { id } = await process.commands.send(buildCommand('pending', data));
  await run();
  clock.advance(31);
  await run();
  isDone = true;
  for (let time = 31; time < 130; time += 31) {
    clock.advance(31);
    await run();
  }
  const { operation, steps } = await process.operations.whole(NS, id);
  expect(requests).toHaveLength(2);
  expect(steps[0]).toMatchObject({ state: 'succeeded', attempts: 1, outputs: { handle: 'run-7' } });
  expect(steps[0]).not.toHaveProperty('handle');
  expect(steps[1]).toMatchObject({ state: 'failed', error: expect.stringContaining('within 100 s') });
  expect(operation.state).toBe('failed');
  expect(cancelled).toEqual(['b']);
});

it('cancels what waits at once, and what runs once nothing of it goes on', async () => {
  const world = newWorld();
  const { process, run, cancelled, clock } = world;
  const place = newPlace();
  world.work = () => ({ state: 'pending', handle: 1, pollAfterSeconds: 600 });
  const send = async (id: string) =>
    (await process.commands.send(buildCommand(`cancel ${id}`, { place, steps: chain('a', 'b') }))).id;
  const [first, second, third] = [await send('1'), await send('2'), await send('3')];
  await run();
  expect(await process.commands.cancel(NS, second, AUTHOR)).toMatchObject({ state: 'cancelled' });
  expect((await process.lanes.read(laneOf(place))).waiting).toEqual([third]);
  expect((await process.commands.cancel(NS, first, AUTHOR)).state).toBe('running');
  world.work = () => done;
  await run();
  clock.advance(1);
  const ended = await process.operations.whole(NS, first);
  expect(ended.operation.state).toBe('cancelled');
  expect(ended.steps.map(({ state }) => state)).toEqual(['cancelled', 'skipped']);
  expect(cancelled).toEqual(['a']);
  expect((await process.operations.get(NS, third)).state).toBe('succeeded');
  await expect(process.commands.cancel(NS, first, AUTHOR)).rejects.toMatchObject({ kind: 'conflict' });
  await expect(process.commands.cancel(NS, 'op_none', AUTHOR)).rejects.toMatchObject({ kind: 'not-found' });
});

it('lets no more wait than fit into a lane, and begins them in the order in which they came', async () => {
  const { process, run, requests } = newWorld();
  const place = newPlace();
  const ids: string[] = [];
  for (const step of ['d', 'b', 'c', 'a']) {
    ids.push((await process.commands.send(buildCommand(`turn ${step}`, { place, steps: chain(step) }))).id);
  }
  await run();
  expect(requests.map(({ operation }) => operation)).toEqual(ids);
  const { scope, key } = laneOf(place);
  const waiting = Array.from({ length: MAX_WAITING }, (_, at) => `op_${at}`);
  const active = { operation: 'op_x', fence: 5 };
  const decide = () => ({ type: 'put', value: { active, waiting, fence: 5 } }) as const;
  await process.records.commit(scope, { key, ...AUTHOR, decide });
  const more = buildCommand('more', { place, steps: [] });
  await expect(process.commands.send(more)).rejects.toMatchObject({ kind: 'too-many-requests' });
  expect(await process.commands.accept(buildCommand('bus', { place, steps: [] }), place)).toMatchObject({
    state: 'failed',
    error: { reason: expect.stringContaining('wait already') },
  });
});

it('has failed where a step has, whenever somebody looks who does not know of it yet', async () => {
  for (let seen = 0; seen < 7; seen += 1) {
    const world = newWorld();
    const place = newPlace();
    world.work = () => ({ state: 'failed', reason: 'No.', isPassing: false });
    const command = buildCommand(`look ${seen}`, { place, steps: chain('a') });
    const { id } = await world.process.commands.send(command);
    await world.process.advance.operation({ ns: NS, operation: id });
    const [looker, worker] = [new CrashActor(), new CrashActor()];
    const looking = world.open(looker.gate);
    const working = world.open(worker.gate);
    await looker.start(
      () => looking.advance.operation({ ns: NS, operation: id }),
      () => {},
    );
    for (let step = 0; step < seen; step += 1) await looker.step('taken', 0);
    const message = { task: 'attempt', ns: NS, operation: id, step: 'a', attempt: 1 } as const;
    await worker.start(
      () => working.attempts.handle(message),
      () => {},
    );
    while ((await world.process.operations.steps(NS, id))[0]?.state !== 'failed')
      await worker.step('taken', 0);
    worker.kill();
    while (looker.isBusy) await looker.step('taken', 0);
    await world.process.advance.operation({ ns: NS, operation: id });
    expect(await world.process.operations.get(NS, id)).toMatchObject({
      state: 'failed',
      error: { step: 'a' },
    });
  }
});

it('writes a plan that is too large for one transaction after somebody died who wrote another one', async () => {
  const world = newWorld();
  const { process, run, clock } = world;
  const place = newPlace();
  const steps = Array.from({ length: 120 }, (_, at) => ({
    id: `s${at}`,
    dependsOn: at < 3 ? [] : [`s${at - 3}`],
  }));
  const actor = new CrashActor();
  const mortal = world.open(actor.gate);
  const command = buildCommand('large', { place, steps });
  const { id } = await process.commands.send(command);
  world.bus.loseAll();
  await actor.start(
    () => mortal.advance.operation({ ns: NS, operation: id }),
    () => {},
  );
  while ((await process.operations.steps(NS, id)).length === 0) await actor.step('taken', 0);
  actor.kill();
  const stale = { ...steps[0], id: 'stale', state: 'waiting', attempts: 0, log: [] };
  await process.records.commit(operationScope(NS, id), {
    key: stepKey(id, 'stale'),
    ...AUTHOR,
    decide: () => ({ type: 'put', value: stale }),
  });
  await process.advance.operation({ ns: NS, operation: id });
  expect((await process.operations.get(NS, id)).state).toBe('queued');
  clock.advance(61);
  await process.sweep.run();
  await run();
  const whole = await process.operations.whole(NS, id);
  expect(whole.operation).toMatchObject({ state: 'succeeded', stepCount: 120 });
  expect(whole.operation).not.toHaveProperty('planning');
  expect(whole.steps.map(({ id: step }) => step)).not.toContain('stale');
  expect(whole.steps.every(({ state }) => state === 'succeeded')).toBe(true);
});

it('is listed by what is asked for, the newest first, and removed with its steps when it has been kept long enough', async () => {
  const { process, clock, run } = newWorld();
  const place = newPlace();
  const ids: string[] = [];
  for (const step of ['a', 'b', 'c']) {
    clock.advance(1);
    ids.push((await process.commands.send(buildCommand(`list-${step}`, { place, steps: chain(step) }))).id);
  }
  await run();
  const newestFirst = ids.toReversed();
  const first = await process.operations.list(NS, { session: place, limit: 2 });
  const rest = await process.operations.list(NS, { session: place, limit: 2, after: first.next });
  expect([...first.items, ...rest.items].map(({ id }) => id)).toEqual(newestFirst);
  expect((await process.operations.list(NS, { session: place, state: 'failed', limit: 9 })).items).toEqual(
    [],
  );
  for (const days of [0, 29, 2]) {
    clock.advance(24 * 3600 * days + 31);
    await process.sweep.run();
    const left = await process.operations.find(NS, ids[0] ?? '');
    expect(left === undefined).toBe(days === 2);
  }
  expect(await process.operations.steps(NS, ids[0] ?? '')).toEqual([]);
  expect((await process.operations.list(NS, { session: place, limit: 9 })).items).toEqual([]);
});

it('lets an executor have no longer than an attempt may take, and takes what it says after that for nothing', async () => {
  const world = newWorld({ attemptTime: 30 });
  const { process, run } = world;
  const place = newPlace();
  let isAborted = false;
  world.work = async ({ signal, attempt }) => {
    if (attempt > 1) return done;
    await once(signal, 'abort');
    isAborted = true;
    return { state: 'succeeded', outputs: { late: true } };
  };
  const { id } = await process.commands.send(buildCommand('late', { place, steps: chain('a') }));
  await run();
  const [step] = await process.operations.steps(NS, id);
  expect(isAborted).toBe(true);
  expect(step).toMatchObject({ state: 'waiting', error: 'It has taken longer than 0.03 s.' });
  world.clock.advance(3);
  await run();
  expect(await process.operations.get(NS, id)).toMatchObject({ state: 'succeeded' });
});

/** An operation whose process died before it entered the lane. */
async function stranded(world: World, place: string) {
  const mortal = world.open();
  vi.spyOn(mortal.lanes, 'enter').mockRejectedValueOnce(new Error('It dies here.'));
  const command = buildCommand(`stranded in ${place}`, { place, steps: chain('a') });
  await expect(mortal.commands.send(command)).rejects.toThrow('It dies here.');
  const [operation] = (await mortal.operations.list(NS, { session: place, limit: 1 })).items;
  if (operation === undefined) throw new Error('It is not there.');
  return { command, operation };
}

it('does not end as cancelled what has begun since the lane was read: that ends with its steps', async () => {
  const world = newWorld();
  const { process, run, cancelled } = world;
  const place = newPlace();
  world.work = () => ({ state: 'pending', handle: 1, pollAfterSeconds: 600 });
  const { command, operation } = await stranded(world, place);
  const late = world.open();
  const read = late.lanes.read.bind(late.lanes);
  vi.spyOn(late.lanes, 'read').mockImplementationOnce(async (lane) => {
    const seen = await read(lane);
    await process.commands.accept(command, place);
    await run();
    await process.commands.cancel(NS, operation.id, AUTHOR);
    return seen;
  });
  expect((await late.commands.resume(operation)).state).toBe('running');
  await run();
  expect(await process.operations.whole(NS, operation.id)).toMatchObject({
    operation: { state: 'cancelled' },
    steps: [{ state: 'cancelled' }],
  });
  expect(cancelled).toEqual(['a']);
});

it('does not end as one too many what another process has let in and begun', async () => {
  const world = newWorld();
  const { process, run } = world;
  const place = newPlace();
  world.work = () => ({ state: 'pending', handle: 1, pollAfterSeconds: 600 });
  const command = buildCommand('one too many', { place, steps: chain('a') });
  const late = world.open();
  vi.spyOn(late.lanes, 'enter').mockImplementationOnce(async () => {
    await process.commands.accept(command, place);
    await run();
    throw tooManyRequests('100 operations wait already.');
  });
  const { id } = await late.commands.send(command);
  expect((await process.operations.get(NS, id)).state).toBe('running');
});

it('lets an executor that hung write nothing of a step that another process took over and ended', async () => {
  const world = newWorld();
  const { process, clock } = world;
  const place = newPlace();
  const late = Promise.withResolvers<StepOutcome>();
  const begun = Promise.withResolvers<void>();
  world.work = ({ attempt }) => {
    if (attempt > 1) return done;
    begun.resolve();
    return late.promise;
  };
  const { id } = await process.commands.send(buildCommand('hung', { place, steps: chain('a', 'b') }));
  await process.advance.operation({ ns: NS, operation: id });
  const message = { task: 'attempt', ns: NS, operation: id, step: 'a', attempt: 1 } as const;
  const hung = world.open().attempts.handle(message);
  await begun.promise;
  clock.advance(36);
  await process.attempts.handle(message);
  const steps = await process.operations.steps(NS, id);
  expect(steps[0]).toMatchObject({ id: 'a', state: 'succeeded', attempts: 2 });
  late.resolve({ state: 'pending', handle: 'late', pollAfterSeconds: 30 });
  await hung;
  expect(await process.operations.steps(NS, id)).toEqual(steps);
});

it('is not begun again by who read the lane before it ran, and comes to enter it after it has ended', async () => {
  const world = newWorld();
  const { process, run, requests } = world;
  const place = newPlace();
  const { command, operation } = await stranded(world, place);
  const late = world.open();
  const enter = late.lanes.enter.bind(late.lanes);
  vi.spyOn(late.lanes, 'enter').mockImplementationOnce(async (...seen) => {
    await process.commands.accept(command, place);
    await run();
    await enter(...seen);
  });
  await late.commands.resume(operation);
  expect(await world.built(place)).toBe('succeeded');
  await process.advance.lane(laneOf(place));
  expect(await process.lanes.read(laneOf(place))).toEqual({ waiting: [], fence: 1 });
  expect(await world.built(place)).toBe('succeeded');
  expect(requests).toHaveLength(1);
});

it('leaves alone what a newer version accepted, refuses to cancel it, and uses up none of its attempts', async () => {
  const world = newWorld();
  const { process, bus, run } = world;
  const place = newPlace();
  const older = world.open(undefined, []);
  const command = buildCommand('newer', { place, steps: chain('a') });
  const { id } = await process.commands.send(command);
  await process.advance.operation({ ns: NS, operation: id });
  const whole = await process.operations.whole(NS, id);
  expect(whole.steps).toMatchObject([{ state: 'ready', attempts: 0 }]);
  const message = { task: 'attempt', ns: NS, operation: id, step: 'a', attempt: 1 } as const;
  await older.attempts.handle(message);
  await older.advance.operation({ ns: NS, operation: id });
  expect(await older.commands.accept(command, place)).toMatchObject({ id, state: 'running' });
  await expect(older.commands.cancel(NS, id, AUTHOR)).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('"test.build"'),
  });
  expect(await process.operations.whole(NS, id)).toEqual(whole);
  bus.deliverAgain(message);
  await run();
  expect(await process.operations.whole(NS, id)).toMatchObject({
    operation: { state: 'succeeded' },
    steps: [{ attempts: 1 }],
  });
});
