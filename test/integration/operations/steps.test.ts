import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type OperationLimits,
  operationScope,
  type StepOutcome,
  stepKey,
} from '../../../shared/operations/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { type Built, partKey, placeScope } from './build-rule.ts';
import { CrashActor } from './crash-actor.ts';
import { AUTHOR, buildCommand, chain, NS } from './operation-process.ts';
import { DONE, newPlace, World } from './operations-fixture.ts';

let cosmos: CosmosFixture;

beforeAll(async () => {
  cosmos = await startCosmos();
});

afterAll(async () => {
  await cosmos?.stop();
});

function newWorld(limits?: Partial<OperationLimits>): World {
  return new World(cosmos, limits);
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

it('tries a step again after growing pauses, and fails the operation with its last error; what had not begun is skipped', async () => {
  const world = newWorld();
  const { process, clock, run, requests } = world;
  const place = newPlace();
  world.work = ({ step, attempt }) =>
    step === 'bad'
      ? { state: 'failed', reason: `Attempt ${attempt}.`, isPassing: true, log: [`l${attempt}`] }
      : DONE;
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

it('lets an executor have no longer than an attempt may take, and takes what it says after that for nothing', async () => {
  const world = newWorld({ attemptTime: 30 });
  const { process, run } = world;
  const place = newPlace();
  let isAborted = false;
  world.work = async ({ signal, attempt }) => {
    if (attempt > 1) return DONE;
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

it('lets an executor that hung write nothing of a step that another process took over and ended', async () => {
  const world = newWorld();
  const { process, clock } = world;
  const place = newPlace();
  const late = Promise.withResolvers<StepOutcome>();
  const begun = Promise.withResolvers<void>();
  world.work = ({ attempt }) => {
    if (attempt > 1) return DONE;
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
