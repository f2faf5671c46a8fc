import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type CosmosFixture, startCosmos } from '../../cosmos-fixture.ts';
import { printedSeed, runs } from '../../seeded-runs.ts';
import type { Fault } from '../gated-part.ts';
import { OrderedWorld, RETRY_SECONDS } from './ordered-world.ts';

const STORES = ['one', 'two'];
const MAX_SKEW = 900;

type Event =
  | { readonly type: 'write'; readonly store: string; readonly isHeard: boolean }
  | { readonly type: 'fan out'; readonly process: number; readonly dies: boolean }
  | { readonly type: 'take'; readonly nth: number; readonly process: number; readonly steps: number }
  | {
      readonly type: 'go on';
      readonly nth: number;
      readonly steps: number;
      readonly fault?: Fault | undefined;
    }
  | { readonly type: 'kill'; readonly nth: number; readonly comesAtOnce: boolean }
  | { readonly type: 'double'; readonly nth: number }
  | { readonly type: 'pass'; readonly milliseconds: number }
  /** One heard change, from its write to some steps of the handler of its message. */
  | { readonly type: 'tell'; readonly store: string; readonly process: number; readonly steps: number }
  | { readonly type: 'pause' | 'resume' | 'close' | 'open' | 'wait' };

const small = fc.nat(5);
/** Most of what happens meets in one scope. */
const stores = fc.constantFrom('one', 'one', 'one', 'two');
const steps = fc.oneof(fc.nat(9), fc.constant(100));
const event = (type: Event['type'], rest: Record<string, fc.Arbitrary<unknown>> = {}) =>
  fc.record({ type: fc.constant(type), ...rest });
const events = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: event('write', {
        store: stores,
        isHeard: fc.oneof(
          { weight: 3, arbitrary: fc.constant(true) },
          { weight: 1, arbitrary: fc.constant(false) },
        ),
      }),
    },
    { weight: 8, arbitrary: event('tell', { store: stores, process: small, steps }) },
    { weight: 4, arbitrary: event('fan out', { process: small, dies: fc.boolean() }) },
    { weight: 6, arbitrary: event('take', { nth: small, process: small, steps }) },
    {
      weight: 6,
      arbitrary: event('go on', {
        nth: small,
        steps,
        fault: fc.option(fc.constantFrom<Fault>('refused', 'lost'), { freq: 3, nil: undefined }),
      }),
    },
    { weight: 3, arbitrary: event('kill', { nth: small, comesAtOnce: fc.boolean() }) },
    { weight: 4, arbitrary: event('wait') },
    { weight: 1, arbitrary: event('double', { nth: small }) },
    {
      weight: 4,
      arbitrary: event('pass', {
        milliseconds: fc.constantFrom(1, 1_000, 5_000, 5_900, 14_000, 42_000, 61_000),
      }),
    },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom('pause', 'resume', 'resume', 'close', 'open', 'open')
        .map((type) => ({ type })),
    },
  ),
  { minLength: 15, maxLength: 60 },
) as fc.Arbitrary<Event[]>;

const scenarios = fc.record({
  events,
  skews: fc.array(fc.integer({ min: -MAX_SKEW, max: MAX_SKEW }), { minLength: 2, maxLength: 2 }),
  failures: fc.array(fc.boolean(), { maxLength: 12 }),
});

let cosmos: CosmosFixture;
let worlds = 0;

beforeAll(async () => {
  cosmos = await startCosmos();
});

afterAll(() => cosmos.stop());

test('whoever dies wherever and however messages come, every change is told in its scope’s order, or is dead after its last attempt', async () => {
  await fc.assert(
    fc.asyncProperty(scenarios, async ({ events: history, skews, failures }) => {
      worlds += 1;
      const world = await OrderedWorld.open(cosmos, `n${worlds}`, skews, failures);
      for (const event of history) {
        await happen(world, event);
      }
      await world.settle();
      for (const store of STORES) {
        await check(world, store);
      }
    }),
    { seed: printedSeed('ordered.property'), numRuns: runs(12, 1_000), endOnFailure: true },
  );
});

async function happen(world: OrderedWorld, event: Event): Promise<void> {
  switch (event.type) {
    case 'write':
      return await world.write(event.store, event.isHeard);
    case 'fan out':
      return await world.fanOut(event.process, event.dies);
    case 'take':
      return await world.take(event.nth, event.process, event.steps);
    case 'tell':
      await world.write(event.store, true);
      await world.fanOut(event.process, false);
      return await world.take(-1, event.process, event.steps);
    case 'go on':
      return await world.goOn(event.nth, event.steps, event.fault);
    case 'kill':
      return world.kill(event.nth, event.comesAtOnce);
    case 'double':
      return world.double(event.nth);
    case 'pass':
      return world.pass(event.milliseconds);
    case 'wait':
      return world.passToNext();
    case 'pause':
    case 'resume':
      return await world.setActive(event.type === 'resume');
    case 'close':
    case 'open':
      world.isClosed = event.type === 'close';
  }
}

async function check(world: OrderedWorld, store: string): Promise<void> {
  const heard = await world.heard(store);
  const calls = world.callsOf(store);
  const deliveries = await world.deliveries(store);
  const order = calls
    .map(({ revision }) => revision)
    .filter((revision, nth, all) => revision !== all[nth - 1]);
  expect(order).toEqual(heard);
  expect(deliveries.map(({ revision }) => revision)).toEqual(heard);
  for (const { id, revision, state, attempts } of deliveries) {
    expect(['delivered', 'dead']).toContain(state);
    if (state === 'dead') {
      expect(attempts).toHaveLength(RETRY_SECONDS.length + 1);
    }
    const ids = calls.filter((call) => call.revision === revision).map(({ webhookId }) => webhookId);
    expect(new Set(ids)).toEqual(new Set([id]));
  }
  const cursor = await world.cursor(store);
  if (heard.length > 0) {
    expect(cursor?.revision).toBeGreaterThanOrEqual(heard.at(-1) ?? 0);
    expect(cursor).not.toHaveProperty('holder');
    expect(cursor).not.toHaveProperty('blocker');
  }
}
