import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { printedSeed, runs, seededRandom } from '../../seeded-runs.ts';
import { type Fault, STEPS } from './crash-faults.ts';
import { type End, findUnsettled, judge, judgeOrder, readTruth } from './crash-judge.ts';
import { CrashLoad, type LoadEvent } from './crash-load.ts';
import { type SubscriptionPlan, WATCHED } from './crash-plans.ts';
import { CrashServers, QUEUES } from './crash-servers.ts';
import { CrashWorld } from './crash-world.ts';

const plans: fc.Arbitrary<SubscriptionPlan> = fc.record({
  key: fc.constantFrom(...WATCHED.map(({ key }) => key)),
  types: fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom<readonly ('put' | 'delete')[]>(['put'], ['delete']) },
  ),
  changed: fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constant(['/n']) },
  ),
  format: fc.constantFrom('standard', 'cloudevents'),
  signature: fc.constantFrom('v1', 'v1a'),
  ordered: fc.boolean(),
  endpoint: fc.constantFrom('healthy', 'healthy', 'flaky', 'flaky', 'slow', 'busy', 'gone', 'dead'),
});

type Happening = LoadEvent | { readonly type: 'pass'; readonly milliseconds: number };

const nth = fc.nat(20);
const events: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 16, arbitrary: fc.record({ type: fc.constant('write'), nth, value: fc.nat(2) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('pass'),
      milliseconds: fc.constantFrom(1, 500, 5_000, 30_000, 90_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('subscribe'), plan: plans }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('replace'), nth, plan: plans }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('rotate'),
      nth,
      overlapSeconds: fc.constantFrom(0, 60, 86_400),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constantFrom('pause', 'resume', 'resume', 'retry', 'recover'), nth }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('remove'), nth: fc.constantFrom(0, 3) }) },
) as fc.Arbitrary<Happening>;

const faults: fc.Arbitrary<Fault> = fc.record({
  step: fc.constantFrom(...STEPS),
  after: fc.nat(20),
  kind: fc.constantFrom('kill', 'kill', 'crash', 'unavailable'),
  moment: fc.constantFrom('before', 'after'),
});

const scenarios = fc.record({
  seed: fc.nat(),
  plans: fc.array(plans, { minLength: 2, maxLength: 4 }),
  events: fc.array(events, { minLength: 20, maxLength: 60 }),
  faults: fc.array(faults, { minLength: 10, maxLength: 40 }),
  skews: fc.array(fc.integer({ min: -900, max: 900 }), { minLength: 1, maxLength: 3 }),
  queue: fc.constantFrom(...QUEUES),
  locksExpire: fc.boolean(),
  feedPage: fc.integer({ min: 1, max: 20 }),
});

type Scenario = typeof scenarios extends fc.Arbitrary<infer Value> ? Value : never;

/** What is mended is told within this, breakers and long waits for dead endpoints included. */
const PATIENCE_MILLISECONDS = 3 * 60 * 60_000;

let servers: CrashServers;
let worlds = 0;
const counts = { posts: 0, changes: 0, faults: 0, kills: 0 };

beforeAll(async () => {
  servers = await CrashServers.start();
});

afterAll(async () => {
  await servers.stop();
});

test(
  'whoever dies at whichever step, every change is told to whom it concerns, or is dead for a reason',
  async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (scenario) => {
        worlds += 1;
        const ns = `crash${worlds}`;
        const world = await CrashWorld.open(servers, { ns, ...scenario });
        try {
          await live(world, ns, scenario);
        } finally {
          await world.close();
        }
      }),
      {
        seed: printedSeed('crashes.property'),
        numRuns: runs(5, 300),
        endOnFailure: true,
      },
    );
    console.log('crashes.property:', JSON.stringify({ worlds, ...counts }));
  },
  runs(120_000, 3_600_000),
);

async function live(world: CrashWorld, ns: string, scenario: Scenario): Promise<void> {
  const load = new CrashLoad(world, ns, seededRandom(scenario.seed));
  for (const plan of scenario.plans) {
    load.begin({ type: 'subscribe', plan });
  }
  await world.until(async () => load.isIdle);
  world.faults.arm(scenario.faults);
  for (const event of scenario.events) {
    if (event.type === 'pass') {
      await world.pass(event.milliseconds);
    } else {
      load.begin(event);
    }
  }
  await world.pass(60_000);
  world.faults.end();
  world.endpoints.clear();
  await settle(world, ns, load, 'dead or delivered');
  await judge(world, await readTruth(world.observer, ns), load.recovered);
  judgeOrder(world, await readTruth(world.observer, ns), load.recovered);
  load.recoverAll();
  await settle(world, ns, load, 'delivered');
  const truth = await readTruth(world.observer, ns);
  await judge(world, truth, load.recovered);
  const logged = new Set(truth.changes.map(({ name }) => name));
  expect(load.acknowledged.filter((name) => !logged.has(name))).toEqual([]);
  const { happened } = world.faults;
  counts.posts += world.posts.length;
  counts.changes += truth.changes.length;
  counts.faults += happened.length;
  counts.kills += happened.filter(({ kind }) => kind === 'kill').length;
}

/** Has all subscriptions resumed, and waits until nothing is left to be done. */
async function settle(world: CrashWorld, ns: string, load: CrashLoad, end: End): Promise<void> {
  const deadline = world.now + PATIENCE_MILLISECONDS;
  await world.until(async () => {
    if (!load.isIdle || (await load.resumeInactive())) {
      return false;
    }
    const unsettled = await findUnsettled(world, await readTruth(world.observer, ns), end);
    if (world.now > deadline) {
      expect(unsettled, 'everything is told in the end').toEqual([]);
    }
    return unsettled.length === 0;
  });
}
