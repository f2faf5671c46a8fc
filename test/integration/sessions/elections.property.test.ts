import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ElectionAddress, Leadership } from '../../../shared/elections/index.ts';
import { SkerryError } from '../../../shared/platform/errors.ts';
import type { Change } from '../../../shared/records/index.ts';
import { Actor, interleave } from '../interleaving.ts';
import { printedSeed, runs } from '../seeded-runs.ts';
import { type Process, type SessionsFixture, startSessions } from './sessions-fixture.ts';

const TTL = 10;
/** Clocks of processes are fast or slow by up to this many milliseconds. */
const MAX_SKEW = 2_000;
const PROCESSES = 3;
/** For how many milliseconds a write waits for its turn: a process that is held up for longer refuses what waits in it. */
const PATIENCE = 10_000;
const AUTHOR = { actor: 'test' };

type OperationName = 'campaign' | 'wait' | 'renew' | 'resign' | 'look' | 'sweep';

/** What happens next: a client begins something in a process, a process makes calls to the storage, or time passes. */
type Event =
  | {
      readonly type: 'act';
      readonly process: number;
      readonly operation: OperationName;
      /** How many storage calls it makes before its process dies; none for one that lives. */
      readonly diesAfter: number | undefined;
      /** How many storage calls it makes at once. */
      readonly steps: number;
    }
  | { readonly type: 'go on'; readonly process: number; readonly steps: number }
  | { readonly type: 'pass'; readonly milliseconds: number };

const processNumbers = fc.nat(PROCESSES - 1);
const TO_THE_END = 20;
const steps = fc.oneof(
  { weight: 1, arbitrary: fc.constant(TO_THE_END) },
  { weight: 1, arbitrary: fc.nat(6) },
);
const events = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        type: fc.constant('act' as const),
        process: processNumbers,
        operation: fc.constantFrom<OperationName>(
          'campaign',
          'campaign',
          'wait',
          'renew',
          'renew',
          'resign',
          'look',
          'sweep',
        ),
        diesAfter: fc.option(fc.nat(7), { freq: 7, nil: undefined }),
        steps,
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ type: fc.constant('go on' as const), process: processNumbers, steps }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constant('pass' as const),
        milliseconds: fc.constantFrom(1, 1_000, 5_100, 9_000, 13_500, 15_000, 17_001),
      }),
    },
  ),
  { minLength: 20, maxLength: 60 },
) as fc.Arbitrary<Event[]>;

const scenarios = fc.record({
  events,
  skews: fc.array(fc.integer({ min: -MAX_SKEW, max: MAX_SKEW }), {
    minLength: PROCESSES,
    maxLength: PROCESSES,
  }),
});

/** An accepted promise of leadership, and when it was asked for and given; both times true. */
interface Promised extends Leadership {
  readonly kind: 'grant' | 'renewal';
  /** Counts the beginnings and ends of all operations. */
  readonly begunAt: number;
  readonly endedAt: number;
  readonly time: number;
}

interface Observations {
  readonly promises: Promised[];
  /** Tokens whose resigning was at least begun. */
  readonly resigning: Set<number>;
  readonly looks: { readonly begunAt: number; readonly token: number }[];
}

let fixture: SessionsFixture;
let elections = 0;

beforeAll(async () => {
  fixture = await startSessions();
});

afterAll(() => fixture.stop());

test('tokens grow, grants do not overlap, and nobody renews what another may hold, whoever dies wherever by whatever clock', async () => {
  await fc.assert(
    fc.asyncProperty(scenarios, async ({ events: history, skews }) => {
      elections += 1;
      const address = { ns: `n${elections}`, name: 'leader' };
      const seen = await play(address, history, skews);
      await checkPromises(address, seen);
      await checkNothingRemains(address);
    }),
    { seed: printedSeed('elections.property'), numRuns: runs(20, 2_000) },
  );
});

const turns = fc.array(fc.record({ who: fc.nat(2), steps: fc.integer({ min: 1, max: 12 }) }), {
  minLength: 3,
  maxLength: 9,
});

test('of a late renewal and two candidates at the moment that the lease lapses, one alone succeeds, in whatever order their steps come', async () => {
  const crew = [-MAX_SKEW, MAX_SKEW, 0].map((skew) => {
    const actor = new Actor();
    const process = fixture.openProcess(actor.gate);
    process.clock.skew = skew;
    return { actor, process };
  });
  await fc.assert(
    fc.asyncProperty(turns, async (order) => {
      elections += 1;
      const address = { ns: `n${elections}`, name: 'leader' };
      const campaign = ({ process }: { process: Process }, candidate: string) =>
        process.elections.campaign(address, { candidate, ttl: TTL, wait: 0 }, AUTHOR);
      const [late, ...rivals] = crew;
      if (late === undefined) {
        throw new Error('There is no process.');
      }
      const { token } = await campaign(late, 'late');
      // By its own clock, which granted it, the leader has another second; by those of the others it has lapsed.
      fixture.clock.advance(1.5 * TTL - 1);
      const outcomes = [
        late.actor.start(() => late.process.elections.renew(address, token)),
        ...rivals.map((rival, index) => rival.actor.start(() => campaign(rival, `rival${index}`))),
      ];
      for (const { who, steps: count } of order) {
        for (let taken = 0; taken < count && crew[who]?.actor.isFinished === false; taken += 1) {
          await crew[who]?.actor.step();
        }
      }
      await interleave(
        crew.map(({ actor }) => actor),
        () => 0,
      );
      const accepted = (await Promise.all(outcomes)).filter(({ status }) => status === 'fulfilled');
      expect(accepted).toHaveLength(1);
    }),
    { seed: printedSeed('elections.property, takeover'), numRuns: runs(40, 5_000) },
  );
});

test('of two candidates whose grants share a batch, one alone succeeds', async () => {
  const { promise: bothWait, resolve: goOn } = Promise.withResolvers<void>();
  let leases = 0;
  const { elections: here, records } = fixture.openProcess(async (step, run) => {
    await (step === 'batch' ? bothWait : undefined);
    const answer = await run();
    leases += step === 'create' ? 1 : 0;
    if (leases === 2) {
      setImmediate(goOn);
    }
    return answer;
  });
  elections += 1;
  const ns = `n${elections}`;
  const isBusy = records.commit(
    { ns, kind: 'election', name: 'leader' },
    { key: '/election/other', ...AUTHOR, decide: () => ({ type: 'put', value: 1 }) },
  );
  const outcomes = await Promise.allSettled(
    ['one', 'two'].map((candidate) =>
      here.campaign({ ns, name: 'leader' }, { candidate, ttl: TTL, wait: 0 }, AUTHOR),
    ),
  );
  await isBusy;
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(await leasesOf({ ns, name: 'leader' }), 'who came second leaves none').toHaveLength(1);
});

async function play(
  address: ElectionAddress,
  history: readonly Event[],
  skews: readonly number[],
): Promise<Observations> {
  const seen: Observations = { promises: [], resigning: new Set(), looks: [] };
  let order = 0;
  const next = () => {
    order += 1;
    return order;
  };
  const crew = skews.map((skew) => new Mortal(skew));
  for (const event of history) {
    if (event.type === 'pass') {
      fixture.clock.advance(event.milliseconds / 1000);
    } else if (event.type === 'go on') {
      await crew[event.process]?.goOn(event.steps);
    } else {
      await crew[event.process]?.begin(event.diesAfter, (process) =>
        perform(event.operation, address, { process, seen, next, client: `client${event.process}` }),
      );
      await crew[event.process]?.goOn(event.steps);
    }
  }
  await Promise.all(crew.map((one) => one.finish()));
  return seen;
}

async function perform(
  operation: OperationName,
  address: ElectionAddress,
  by: { process: Process; seen: Observations; next: () => number; client: string },
): Promise<void> {
  const { process, seen, next, client } = by;
  const begunAt = next();
  const promise = (kind: Promised['kind'], leadership: Leadership) => {
    seen.promises.push({ ...leadership, kind, begunAt, endedAt: next(), time: fixture.clock.now() });
  };
  const token = seen.promises.filter(({ candidate }) => candidate === client).at(-1)?.token ?? 1;
  switch (operation) {
    case 'campaign':
    case 'wait': {
      const candidacy = { candidate: client, ttl: TTL, wait: operation === 'wait' ? 4 : 0 };
      promise('grant', await process.elections.campaign(address, candidacy, AUTHOR));
      return;
    }
    case 'renew':
      promise('renewal', await process.elections.renew(address, token));
      return;
    case 'resign':
      seen.resigning.add(token);
      await process.elections.resign(address, token, AUTHOR);
      return;
    case 'look': {
      const leadership = await process.elections.get(address);
      if (leadership !== undefined) {
        seen.looks.push({ begunAt, token: leadership.token });
      }
      return;
    }
    case 'sweep': {
      const startedAt = fixture.clock.now();
      const { failed } = await process.sweep();
      const errors = failed.map(({ error }) => error);
      if (fixture.clock.now() - startedAt < PATIENCE) {
        expect(errors).toEqual([]);
      }
      for (const error of errors) {
        expect(error, 'what a sweep cannot finish in time is left to the next').toMatchObject({
          kind: 'unavailable',
        });
      }
    }
  }
}

async function checkPromises(address: ElectionAddress, seen: Observations): Promise<void> {
  const grants = (await changesOf(address)).filter(({ type }) => type === 'put');
  for (const grant of grants) {
    expect(grant.previous, 'a grant is given only where none stands').toBeUndefined();
  }
  const tokens = new Map(grants.map(({ revision, value }) => [revision, value?.candidate]));
  for (const promised of seen.promises) {
    expect(tokens.get(promised.token), 'a token is the revision of its grant').toBe(promised.candidate);
    const later = seen.promises.filter(
      ({ kind, token }) => kind === 'grant' && token > promised.token && !seen.resigning.has(promised.token),
    );
    for (const grant of later) {
      expect(grant.endedAt, 'tokens grow in the order of the grants').toBeGreaterThan(promised.begunAt);
      expect(
        grant.time,
        'nobody leads before the lease of the leader before has lapsed by the fastest clock',
      ).toBeGreaterThanOrEqual(Date.parse(promised.expiresAt) - MAX_SKEW);
    }
  }
  for (const { begunAt, token } of [...seen.looks, ...seen.promises]) {
    const known = seen.promises.filter((one) => one.kind === 'grant' && one.endedAt < begunAt);
    expect(token, 'from a grant on nobody sees or renews an older one').toBeGreaterThanOrEqual(
      Math.max(0, ...known.map((grant) => grant.token)),
    );
  }
}

async function checkNothingRemains(address: ElectionAddress): Promise<void> {
  const later = fixture.openProcess();
  fixture.clock.advance(1.5 * TTL + (2 * MAX_SKEW) / 1000);
  const candidacy = { candidate: 'next', ttl: TTL, wait: 0 };
  expect(await later.elections.campaign(address, candidacy, AUTHOR), 'takes over at once').toMatchObject({
    candidate: 'next',
  });
  fixture.clock.advance(1.5 * TTL);
  await later.sweep();
  fixture.clock.advance(100);
  await later.sweep();
  const scope = { ns: address.ns, kind: 'election', name: address.name };
  expect(await leasesOf(address)).toEqual([]);
  expect((await later.records.list(scope)).records).toEqual([]);
  expect((await changesOf(address)).at(-1)?.type).toBe('expire');
}

async function leasesOf({ ns, name }: ElectionAddress): Promise<unknown[]> {
  const { resources } = await fixture.cosmos
    .connect()
    .container('leases')
    .items.query('SELECT * FROM c', { partitionKey: `${ns}:election:${name}` })
    .fetchAll();
  return resources;
}

async function changesOf({ ns, name }: ElectionAddress): Promise<Change<{ candidate: string }>[]> {
  const { resources } = await fixture.cosmos
    .connect()
    .container('records')
    .items.query<{ revision: number }>("SELECT c.revision FROM c WHERE c.type = 'change'", {
      partitionKey: `${ns}:election:${name}`,
    })
    .fetchAll();
  const { records } = fixture.openProcess();
  const scope = { ns, kind: 'election', name };
  const changes = await Promise.all(
    resources.map(({ revision }) => records.readChange<{ candidate: string }>(scope, revision)),
  );
  return changes.flatMap((change) => change ?? []).sort((one, other) => one.revision - other.revision);
}

/** A process that makes its storage calls one at a time, when it is told to, and may die before any of them. */
class Mortal {
  readonly #skew: number;
  #actor = new Actor();
  #process: Process;
  #stepsLeft = Number.POSITIVE_INFINITY;
  #fault: unknown;

  constructor(skew: number) {
    this.#skew = skew;
    this.#process = this.#boot();
  }

  /** Begins an operation, unless another one is under way. */
  async begin(diesAfter: number | undefined, operation: (process: Process) => Promise<void>): Promise<void> {
    if (!this.#actor.isFinished) {
      return;
    }
    this.#stepsLeft = diesAfter ?? Number.POSITIVE_INFINITY;
    const actor = this.#actor;
    void actor
      .start(() => operation(this.#process))
      .then((outcome) => {
        if (actor === this.#actor && outcome.status === 'rejected' && !isRefusal(outcome.reason)) {
          this.#fault = outcome.reason;
        }
      });
    await this.#actor.arrive();
  }

  async goOn(steps: number): Promise<void> {
    for (let taken = 0; taken < steps && !this.#actor.isFinished; taken += 1) {
      await this.#step();
    }
  }

  async #step(): Promise<void> {
    if (this.#actor.isFinished) {
      return;
    }
    if (this.#stepsLeft === 0) {
      this.#actor.kill();
      this.#actor = new Actor();
      this.#process = this.#boot();
      return;
    }
    this.#stepsLeft -= 1;
    await this.#actor.step();
  }

  /** Takes all the steps that are left. */
  async finish(): Promise<void> {
    while (!this.#actor.isFinished) {
      fixture.clock.advance(0.3);
      await this.#step();
    }
    if (this.#fault !== undefined) {
      throw this.#fault;
    }
  }

  #boot(): Process {
    const process = fixture.openProcess(this.#actor.gate);
    process.clock.skew = this.#skew;
    return process;
  }
}

/** A commit during which much time passes gives up, and nobody knows whether it stands. */
function isRefusal(reason: unknown): boolean {
  return reason instanceof SkerryError && ['conflict', 'not-found', 'unavailable'].includes(reason.kind);
}
