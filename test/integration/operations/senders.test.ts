import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Command } from '../../../shared/operations/index.ts';
import type { Verb } from '../../../shared/platform/http/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { placeKey } from './build-rule.ts';
import { buildCommand, chain, NS } from './operation-process.ts';
import { DONE, laneOf, newPlace, World } from './operations-fixture.ts';

let cosmos: CosmosFixture;
let world: World;
/** What anybody may do, by key. */
let rights: Map<string, readonly Verb[]>;
let commands = 0;

beforeAll(async () => {
  cosmos = await startCosmos();
});

afterAll(async () => {
  await cosmos?.stop();
});

beforeEach(() => {
  rights = new Map();
  world = new World(cosmos);
  world.callerOf = async (maker) => ({
    maker,
    may: (verb, ns, keys) => ns === NS && rights.get(String(keys))?.includes(verb) === true,
  });
});

it('does what the sender may do, on the bus as over HTTP, and says to who may not of what there is what it says of what there is not', async () => {
  const { process, run, requests } = world;
  const [standing, missing] = [newPlace(), newPlace()];
  rights.set(placeKey(standing), ['write']);
  const built = await process.commands.accept(build(standing), standing);
  await run();
  expect(await process.operations.get(NS, built.id)).toMatchObject({ state: 'succeeded', actor: 'bus:/ci' });
  expect(requests).toMatchObject([{ actor: 'bus:/ci' }]);
  rights.clear();
  const told = await Promise.all(
    [standing, missing].map(async (place) => {
      const { state, error } = await process.commands.accept(build(place), place);
      const refusal = await process.commands.send(build(place)).catch((thrown: unknown) => thrown);
      expect(refusal).toMatchObject({ kind: 'not-found', message: error?.reason });
      return [state, error?.reason.replaceAll(place, 'PLACE')];
    }),
  );
  expect(told[0]).toEqual(['failed', expect.any(String)]);
  expect(told[1]).toEqual(told[0]);

  rights.set(placeKey(standing), ['read']);
  const { error } = await process.commands.accept(build(standing), standing);
  expect(error?.reason).toContain(`may not write ${placeKey(standing)}`);
  await expect(process.commands.send(build(standing))).rejects.toMatchObject({ kind: 'forbidden' });
  await run();
  expect(requests).toHaveLength(1);
  expect((await process.lanes.read(laneOf(missing))).fence).toBe(0);
});

it('does not begin what its sender may do no longer when its turn comes', async () => {
  const { process, run, built } = world;
  const place = newPlace();
  rights.set(placeKey(place), ['write']);
  const first = await process.commands.send(build(place, 'a'));
  const second = await process.commands.send(build(place, 'b'));
  world.work = () => {
    rights.clear();
    return DONE;
  };
  await run();
  expect(await process.operations.get(NS, first.id)).toMatchObject({ state: 'succeeded' });
  expect(await process.operations.get(NS, second.id)).toMatchObject({
    state: 'failed',
    error: { reason: 'Whoever sent the command may not do this any more.' },
  });
  expect(await built(place)).toBe('succeeded');
});

it('begins no further step once its sender may not, and follows to its end what has begun elsewhere', async () => {
  const { process, run, clock, requests } = world;
  const place = newPlace();
  rights.set(placeKey(place), ['write']);
  world.work = (_request, handle) => {
    rights.clear();
    return handle === undefined ? { state: 'pending', handle: 'run-1', pollAfterSeconds: 30 } : DONE;
  };
  const { id } = await process.commands.send(build(place, 'a', 'b'));
  await run();
  clock.advance(31);
  await run();
  const { operation, steps } = await process.operations.whole(NS, id);
  expect(requests.map(({ step }) => step)).toEqual(['a']);
  expect(steps).toMatchObject([
    { state: 'succeeded' },
    { state: 'failed', attempts: 1, error: expect.stringContaining('any more') },
  ]);
  expect(operation).toMatchObject({ state: 'failed', error: { step: 'b' } });
});

function build(place: string, ...steps: string[]): Command {
  commands += 1;
  const data = { place, steps: chain(...(steps.length === 0 ? ['a'] : steps)) };
  return { ...buildCommand(`command ${commands}`, data), actor: 'bus:/ci' };
}
