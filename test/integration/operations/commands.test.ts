import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { MAX_WAITING } from '../../../shared/operations/lane.ts';
import { tooManyRequests } from '../../../shared/platform/errors.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { AUTHOR, buildCommand, chain, NS } from './operation-process.ts';
import { DONE, laneOf, newPlace, World } from './operations-fixture.ts';

let cosmos: CosmosFixture;

beforeAll(async () => {
  cosmos = await startCosmos();
});

afterAll(async () => {
  await cosmos?.stop();
});

function newWorld(): World {
  return new World(cosmos);
}

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
  world.work = () => DONE;
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
