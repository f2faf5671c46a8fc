import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { operationIdOf } from '../../../shared/operations/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { printedSeed, runs, seededRandom } from '../seeded-runs.ts';
import { OperationJudge } from './operation-judge.ts';
import { NS } from './operation-process.ts';
import { type Behaviour, OperationWorld, type PlannedCommand } from './operation-world.ts';

const PLACES = 2;
const STEPS = 250;

let cosmos: CosmosFixture;
let stories = 0;

beforeAll(async () => {
  cosmos = await startCosmos();
});

afterAll(async () => {
  await cosmos?.stop();
});

const BEHAVIOURS: readonly Behaviour[] = [
  'succeeds',
  'succeeds',
  'succeeds',
  'fails once',
  'fails',
  'always fails passing',
  'throws',
  'is pending',
  'is late',
];

const step = fc.record({
  behaviour: fc.constantFrom(...BEHAVIOURS),
  /** How far before it the steps are that it waits for. */
  waitsFor: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 2 }),
});

const command: fc.Arbitrary<
  Omit<PlannedCommand, 'steps'> & { parts: (typeof step extends fc.Arbitrary<infer One> ? One : never)[] }
> = fc.record({
  place: fc.nat(PLACES - 1),
  parts: fc.array(step, { maxLength: 7 }),
  isOverHttp: fc.boolean(),
  isCancelled: fc.nat(3).map((one) => one === 0),
  refusedBy: fc.constantFrom(undefined, undefined, undefined, undefined, 'begin', 'plan'),
});

it('brings every operation to its end, each step once, in order and one at a time, whatever dies, is lost or comes twice', async () => {
  const seed = printedSeed('operations');
  const total = { kills: 0, lostAnswers: 0, steps: 0, starts: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { minLength: 1, maxLength: 5 }),
      fc.nat(2 ** 31),
      async (commands, schedule) => {
        stories += 1;
        const name = `story${stories}`;
        const planned = commands.map(({ parts, ...rest }, index) => ({
          ...rest,
          steps: parts.map(({ behaviour, waitsFor }, at) => ({
            id: `c${index}s${at}`,
            dependsOn: [...new Set(waitsFor)]
              .filter((back) => back <= at)
              .map((back) => `c${index}s${at - back}`),
            behaviour,
          })),
        }));
        const world = new OperationWorld(cosmos.connect(), planned, name, seededRandom(schedule));
        const ids = world.commands.map(({ source, id }) => operationIdOf(NS, source, id));
        await world.live(ids, STEPS);
        await world.end(ids);
        const judge = new OperationJudge(world);
        await judge.judge(
          ids,
          Array.from({ length: PLACES }, (_, place) => `${name}-${place}`),
        );
        expect(judge.faults).toEqual([]);
        total.kills += world.faults.kills;
        total.lostAnswers += world.faults.lostAnswers;
        total.steps += world.faults.steps;
        total.starts += world.starts.length;
      },
    ),
    { seed, numRuns: runs(8, 1_000), endOnFailure: true },
  );
  console.log(`${stories} stories:`, JSON.stringify(total));
  expect(total.kills).toBeGreaterThan(0);
});
