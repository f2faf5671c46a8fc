import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SkerryError } from '../../../shared/platform/errors.ts';
import type { Leases, Records } from '../../../shared/records/index.ts';
import type { InstanceAddress, InstanceInput, InstanceValue } from '../../../shared/registry/index.ts';
import { Actor, interleave } from '../interleaving.ts';
import { printedSeed, runs } from '../seeded-runs.ts';
import {
  AUTHOR,
  freshAddress,
  GRACE_SECONDS,
  PLAIN,
  type Process,
  type RegistryFixture,
  startRegistry,
} from './registry-fixture.ts';

const TTL = 10;
const WITH_TTL: InstanceInput = { ...PLAIN, ttl: TTL };

let fixture: RegistryFixture;
let observer: Process;
let actors: { actor: Actor; process: Process }[];

beforeAll(async () => {
  fixture = await startRegistry();
  observer = fixture.openProcess();
  actors = Array.from({ length: 3 }, () => {
    const actor = new Actor();
    return { actor, process: fixture.openProcess(actor.gate) };
  });
});

afterAll(() => fixture.stop());

/** Where an instance stands when the operations begin. */
const SITUATIONS: Record<string, (address: InstanceAddress) => Promise<void>> = {
  absent: async () => {},
  fresh: async (address) => {
    await observer.registry.register(address, WITH_TTL, { author: AUTHOR });
  },
  'half through its lease': async (address) => {
    await SITUATIONS.fresh?.(address);
    fixture.clock.advance(6);
  },
  lapsed: async (address) => {
    await SITUATIONS.fresh?.(address);
    fixture.clock.advance(15);
  },
  'between the steps of its expiry': async (address) => {
    await SITUATIONS.lapsed?.(address);
    const { record, held } = await stateOf(address);
    if (record === undefined || held === undefined) {
      throw new Error('The instance was not registered.');
    }
    const expiring = { ...held.lease, state: 'expired', recordRevision: record.revision } as const;
    await observer.leases.write(held.scope, expiring, held);
  },
  'marked as expired': async (address) => {
    await SITUATIONS.lapsed?.(address);
    await observer.sweep();
  },
  'due for removal': async (address) => {
    await SITUATIONS['marked as expired']?.(address);
    fixture.clock.advance(GRACE_SECONDS);
  },
  'just removed': async (address) => {
    await SITUATIONS.fresh?.(address);
    await observer.registry.deregister(address, { author: AUTHOR });
  },
  'without a ttl': async (address) => {
    await observer.registry.register(address, PLAIN, { author: AUTHOR });
  },
};

interface Operation {
  readonly effect: 'holds' | 'holds without ttl' | 'removes' | 'none';
  run(process: Process, address: InstanceAddress): Promise<unknown>;
}

const OPERATIONS: Record<string, Operation> = {
  register: {
    effect: 'holds',
    run: ({ registry }, address) => registry.register(address, WITH_TTL, { author: AUTHOR }),
  },
  'register changed': {
    effect: 'holds',
    run: ({ registry }, address) =>
      registry.register(address, { ...WITH_TTL, zone: 'b' }, { author: AUTHOR }),
  },
  'register with another ttl': {
    effect: 'holds',
    run: ({ registry }, address) => registry.register(address, { ...WITH_TTL, ttl: 30 }, { author: AUTHOR }),
  },
  'register without a ttl': {
    effect: 'holds without ttl',
    run: ({ registry }, address) =>
      registry.register(address, PLAIN, { author: AUTHOR, keepsRenewalTime: true }),
  },
  'register if unchanged': {
    effect: 'holds',
    run: async ({ registry }, address) => {
      const { record } = await stateOf(address);
      const precondition = { ifMatch: [`"${record?.revision}"`] };
      return await registry.register(address, { ...WITH_TTL, ttl: 20 }, { author: AUTHOR, precondition });
    },
  },
  'register if absent': {
    effect: 'holds',
    run: ({ registry }, address) =>
      registry.register(address, WITH_TTL, { author: AUTHOR, precondition: { ifNoneMatch: '*' } }),
  },
  heartbeat: { effect: 'holds', run: ({ registry }, address) => registry.heartbeat(address) },
  deregister: {
    effect: 'removes',
    run: ({ registry }, address) => registry.deregister(address, { author: AUTHOR }),
  },
  sweep: { effect: 'none', run: ({ sweep }) => sweep() },
};

function scopeOf({ ns, service }: InstanceAddress) {
  return { ns, kind: 'srv', name: service };
}

async function stateOf(address: InstanceAddress, { records, leases }: Stores = observer) {
  const key = `/srv/${address.service}/${address.id}`;
  const [record, held] = await Promise.all([
    records.get<InstanceValue>(scopeOf(address), key),
    leases.read(scopeOf(address), key),
  ]);
  return { record, held };
}

type Stores = { records: Records; leases: Leases };

/** Checks every promise of the protocol after some operations have ended, all of them at the present time. */
async function checkPromises(
  address: InstanceAddress,
  accepted: readonly Operation['effect'][],
  options: { readonly crashed: boolean },
): Promise<void> {
  const { record, held } = await stateOf(address);
  const ttl = record?.value.ttl;
  if (ttl !== undefined) {
    expect(held?.lease.expiresAt, 'the sweep finds a lease for every record with a ttl').toBeDefined();
  }
  if (record === undefined && !options.crashed) {
    const beat = observer.registry.heartbeat(address);
    await expect(beat, 'what is gone takes no beats').rejects.toMatchObject({ kind: 'not-found' });
  }
  const holds = accepted.includes('holds') || accepted.includes('holds without ttl');
  if (holds && !accepted.includes('removes')) {
    expect(record, 'what was accepted stands').toBeDefined();
  }
  if (holds && record !== undefined) {
    const view = await observer.registry.getInstance(address);
    expect(view?.health, 'who was accepted is alive').toBe('passing');
    if (ttl !== undefined && !options.crashed && accepted.every((effect) => effect !== 'holds without ttl')) {
      const left = (held?.lease.expiresAt ?? 0) - fixture.clock.now();
      expect(held?.lease.ttl, 'the lease has the ttl of the record').toBe(ttl);
      expect(left, 'a whole ttl is left').toBeGreaterThanOrEqual(1000 * ttl);
      expect(left, 'no more than 1.5 ttl is left').toBeLessThanOrEqual(1500 * ttl);
    }
  }
  await checkEnd(address);
}

/** Without further beats an instance with a ttl expires, is removed, and leaves no lease behind. */
async function checkEnd(address: InstanceAddress): Promise<void> {
  for (const seconds of [45, 61, 0, GRACE_SECONDS, 61]) {
    fixture.clock.advance(seconds);
    const { failed } = await observer.sweep();
    expect(failed).toEqual([]);
  }
  const { record, held } = await stateOf(address);
  if (record === undefined) {
    expect(held?.lease.expiresAt, 'no lease outlives its record').toBeUndefined();
  } else {
    expect(record.value, 'only what has no ttl stays').not.toHaveProperty('ttl');
    expect(record.value).not.toHaveProperty('expiredAt');
  }
}

/** Runs operations in processes of their own; gives the effects of those that were accepted. */
async function runInterleaved(
  address: InstanceAddress,
  names: readonly string[],
  choose: (candidates: readonly Actor[]) => number,
): Promise<Operation['effect'][]> {
  const operations = names.flatMap((name) => OPERATIONS[name] ?? []);
  const taking = actors.slice(0, operations.length);
  const outcomes = operations.map(async ({ run }, index) => {
    const one = taking[index];
    return await one?.actor.start(() => run(one.process, address));
  });
  await interleave(
    taking.map(({ actor }) => actor),
    choose,
  );
  return (await Promise.all(outcomes)).flatMap((outcome, index) => {
    if (outcome?.status === 'rejected') {
      expect(outcome.reason, 'refusals are of the closed set').toBeInstanceOf(SkerryError);
      expect(outcome.reason).not.toMatchObject({ kind: 'unavailable' });
      return [];
    }
    return operations[index]?.effect ?? [];
  });
}

/** Begins one operation in a process that dies before its next step. */
async function crashAfter(steps: number, name: string, address: InstanceAddress): Promise<void> {
  const [dying] = actors;
  const operation = OPERATIONS[name];
  if (dying === undefined || operation === undefined) {
    throw new Error(`There is no operation "${name}".`);
  }
  void dying.actor.start(() => operation.run(dying.process, address));
  await dying.actor.arrive();
  for (let taken = 0; taken < steps && !dying.actor.isFinished; taken += 1) {
    await dying.actor.step();
  }
  dying.actor.abandon();
}

const situationNames = fc.constantFrom(...Object.keys(SITUATIONS));
const operationNames = fc.constantFrom(...Object.keys(OPERATIONS));

async function arrange(situation: string): Promise<InstanceAddress> {
  const address = freshAddress();
  await SITUATIONS[situation]?.(address);
  return address;
}

const seed = printedSeed('lease protocol');

test('operations of several processes keep their promises in whatever order their steps come', async () => {
  await fc.assert(
    fc.asyncProperty(
      situationNames,
      fc.array(operationNames, { minLength: 2, maxLength: 3 }),
      fc.array(fc.nat(2), { minLength: 30, maxLength: 30 }),
      async (situation, operations, order) => {
        const address = await arrange(situation);
        let taken = 0;
        const accepted = await runInterleaved(address, operations, (candidates) => {
          taken += 1;
          return (order[taken % order.length] ?? 0) % candidates.length;
        });
        await checkPromises(address, accepted, { crashed: false });
      },
    ),
    { seed, numRuns: runs(40, 3_000) },
  );
});

test('a process that dies between two steps breaks no promise to others and leaves nothing for ever', async () => {
  await fc.assert(
    fc.asyncProperty(
      situationNames,
      operationNames,
      fc.nat(6),
      fc.option(operationNames, { nil: undefined }),
      async (situation, dying, steps, next) => {
        const address = await arrange(situation);
        await crashAfter(steps, dying, address);
        const accepted = next === undefined ? [] : await runInterleaved(address, [next], () => 0);
        await checkPromises(address, accepted, { crashed: true });
      },
    ),
    { seed, numRuns: runs(25, 1_500) },
  );
});

/** Takes the steps of the operations in this order, by their places, and then what is left of each in turn. */
async function runInOrder(
  address: InstanceAddress,
  names: readonly string[],
  order: readonly number[],
): Promise<Operation['effect'][]> {
  const steps = order.flatMap((place) => actors[place]?.actor ?? []).values();
  return await runInterleaved(address, names, (candidates) => {
    const { value: next } = steps.next();
    return next === undefined ? 0 : Math.max(candidates.indexOf(next), 0);
  });
}

test('a removal that began before the registration that it removes leaves no lease that takes beats', async () => {
  const address = await arrange('without a ttl');
  const accepted = await runInOrder(address, ['deregister', 'register'], [0, 1, 1, 1, 1, 1, 1, 1]);
  await checkPromises(address, accepted, { crashed: false });
});

test('a removal between a registration and its confirmation leaves no lease that takes beats', async () => {
  const address = await arrange('absent');
  const operations = ['register', 'register without a ttl', 'deregister'];
  const accepted = await runInOrder(address, operations, [0, 2, 1, 1, 0, 0, 1, 0, 0, 0, 2, 2, 0, 2]);
  await checkPromises(address, accepted, { crashed: false });
});

test('a removal leaves the lease of a registration that is still to be written', async () => {
  const address = await arrange('absent');
  const operations = ['register', 'register without a ttl', 'deregister'];
  const accepted = await runInOrder(address, operations, [0, 0, 0, 1, 1, 1, 2, 2, 2, 0]);
  expect(accepted).toEqual(['holds', 'holds without ttl', 'removes']);
  const instance = await observer.registry.getInstance(address);
  expect(instance?.health).toBe('passing');
  await checkEnd(address);
});

const LONG = process.env.SKERRY_TEST_LONG !== undefined;
const pairs = Object.keys(OPERATIONS).flatMap((first) =>
  Object.keys(OPERATIONS).map((second) => [first, second]),
);

test.runIf(LONG).each(Object.keys(SITUATIONS))(
  'every operation on an instance that is %s may be cut by every other one after any of its steps',
  async (situation) => {
    for (const pair of pairs) {
      for (let steps = 0, isCut = true; isCut; steps += 1) {
        const address = await arrange(situation);
        let taken = 0;
        isCut = false;
        const accepted = await runInterleaved(address, pair, (candidates) => {
          taken += 1;
          isCut ||= taken === steps + 1 && candidates.length === 2;
          return taken <= steps ? 0 : candidates.length - 1;
        });
        await checkPromises(address, accepted, { crashed: false }).catch((error: unknown) => {
          throw new Error(`${pair.join(', cut by ')} after ${steps} steps`, { cause: error });
        });
      }
    }
  },
);
