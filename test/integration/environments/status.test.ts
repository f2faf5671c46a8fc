import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  EnvironmentPlanner,
  EnvironmentStatus,
  EnvironmentSweeper,
  type EnvironmentValue,
  environmentKey,
  environmentRules,
  environmentScope,
  PlannedDestructions,
  Resources,
  type ResourceValue,
  resourceKey,
  StatusPolls,
  Templates,
} from '../../../shared/environments/index.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { Alarms, Leases, Records, Sweep, type Sweeper } from '../../../shared/records/index.ts';
import type { Exchange } from '../../../shared/webhooks/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { Actor, type Gate } from '../interleaving.ts';
import { MemoryBus } from '../operations/memory-bus.ts';
import { NS, OperationProcess } from '../operations/operation-process.ts';
import { TestClock } from '../registry/registry-fixture.ts';
import { printedSeed, runs } from '../seeded-runs.ts';
import { gatedContainers } from '../sessions/gated-container.ts';

const HOUR = 3_600;
const OWN = 'http://shop.test/status';
const endpointOf = (id: string) => `http://${id}.test/status`;

let cosmos: CosmosFixture;
let environments = 0;

beforeAll(async () => {
  cosmos = await startCosmos();
});

afterAll(async () => {
  await cosmos.stop();
});

function nextId(): string {
  environments += 1;
  return `env${environments}`;
}

/** One environment, and whoever looks after it; time passes when a test says so. */
class World {
  readonly clock = new TestClock();
  readonly bus = new MemoryBus(this.clock);
  readonly id = nextId();
  /** What endpoints answer; 200 unless said. */
  readonly statuses = new Map<string, number>();
  asked: string[] = [];
  /** What happens while an endpoint is asked. */
  meanwhile: () => void | Promise<void> = () => {};

  open(gate?: Gate) {
    const { clock, bus } = this;
    const database = cosmos.connect();
    const container = gatedContainers(database, gate);
    const random = systemRandom;
    const records = new Records({ container: container(COSMOS_CONTAINERS.records.id), clock, random });
    const leases = new Leases({ container: container(COSMOS_CONTAINERS.leases.id), clock });
    const alarms = new Alarms(leases, clock);
    const templates = new Templates({ records, isExecutor: () => true });
    const sweeping: EnvironmentSweeper[] = [];
    const operations = new OperationProcess({
      database,
      clock,
      queues: bus,
      executor: { start: async () => ({ state: 'succeeded' }) },
      rules: environmentRules({
        records,
        templates,
        environmentPlanner: new EnvironmentPlanner({ records, templates }),
        clock,
        attendEnvironment: async (ns: string, id: string) =>
          await sweeping[0]?.look(environmentScope(ns, id)),
        versions: undefined as never,
      }),
      ...(gate !== undefined && { gate }),
    });
    const sweeper = new EnvironmentSweeper({
      alarms,
      status: new EnvironmentStatus({
        records,
        polls: new StatusPolls({ exchange: (request) => this.#exchange(request), clock, random }),
        clock,
        terms: { interval: 60_000, validation: 600_000 },
      }),
      destructions: new PlannedDestructions({
        records,
        send: (command) => operations.commands.send(command),
        clock,
        warning: 24 * HOUR * 1_000,
      }),
      clock,
    });
    sweeping.push(sweeper);
    // Other tests have alarms too.
    const own: Sweeper = {
      isFor: (held) => held.scope.name === this.id && sweeper.isFor(held),
      sweepScope: (due, summary) => sweeper.sweepScope(due, summary),
    };
    return {
      records,
      alarms,
      leases,
      operations,
      resources: new Resources({ records, clock, alarms }),
      sweep: new Sweep({ records, leases, clock, sweepers: [own] }),
    };
  }

  readonly #exchange: Exchange = async ({ endpoint }) => {
    this.asked.push(endpoint);
    await this.meanwhile();
    const status = this.statuses.get(endpoint) ?? 200;
    if (status === 0) throw new Error('Nobody listens.');
    return { status, headers: {}, bytes: Buffer.alloc(0), end: 'whole' };
  };

  readonly process = this.open();

  get scope() {
    return environmentScope(NS, this.id);
  }

  /** An environment as an operation leaves it, with resources that have an endpoint each. */
  async seed(value: Partial<EnvironmentValue>, resources: readonly string[] = []): Promise<void> {
    const at = new Date(this.clock.now()).toISOString();
    const key = environmentKey(this.id);
    await this.process.alarms.raise(this.scope, key);
    const environment: EnvironmentValue = {
      name: this.id,
      tags: [],
      state: 'Deployed-Validating',
      stateSince: at,
      createdOn: at,
      templates: [],
      entrypoints: [],
      statusEndpoints: [],
      ...value,
    };
    const put = (one: string, what: object) => ({
      key: one,
      decision: { type: 'put' as const, value: what },
    });
    await this.process.records.transact<object>(this.scope, {
      keys: [key, ...resources.map((id) => resourceKey(this.id, id))],
      actor: 'test',
      decide: () => ({
        writes: [
          { key, decision: { type: 'put', value: environment, listed: this.id } },
          ...resources.map((id) => put(resourceKey(this.id, id), resourceWith(endpointOf(id), at))),
        ],
      }),
    });
  }

  /** Lets so many minutes pass, with a sweep at the end of each. */
  async minutes(count: number, process = this.process): Promise<void> {
    for (let nth = 0; nth < count; nth += 1) {
      this.clock.advance(60);
      const { failed } = await process.sweep.run();
      expect(failed).toEqual([]);
    }
  }

  /** Has the operations that there are come to their end. */
  async work(): Promise<void> {
    const { operations } = this.process;
    for (;;) {
      const sent = this.bus.takeCommands();
      const messages = this.bus.takeSteps();
      if (sent.length + messages.length === 0) return;
      for (const { command, session } of sent) await operations.commands.accept(command, session);
      for (const message of messages) await operations.handle(message);
    }
  }

  async send(id: string, change: object): Promise<void> {
    await this.process.operations.commands.send({
      specversion: '1.0',
      id: `${this.id}-${id}`,
      source: '/test',
      type: 'environment.update',
      ns: NS,
      actor: 'test',
      data: { environment: { id: this.id, ...change } },
    });
  }

  async environment(): Promise<EnvironmentValue | undefined> {
    return (await this.process.records.get<EnvironmentValue>(this.scope, environmentKey(this.id)))?.value;
  }

  async state(): Promise<string | undefined> {
    return (await this.environment())?.state;
  }

  async resource(id: string): Promise<ResourceValue | undefined> {
    return (await this.process.records.get<ResourceValue>(this.scope, resourceKey(this.id, id)))?.value;
  }

  /** The states that the environment went through. */
  async states(): Promise<string[]> {
    const changes = await this.process.records.changes<EnvironmentValue>(this.scope, { above: 0 });
    const states = changes
      .filter(({ key }) => key === environmentKey(this.id))
      .map(({ value }) => value?.state ?? '');
    return states.filter((state, nth) => state !== states[nth - 1]);
  }

  async operations() {
    const { items } = await this.process.operations.operations.list(NS, { session: this.id, limit: 100 });
    return items;
  }
}

function resourceWith(endpoint: string, at: string): ResourceValue {
  return {
    name: 'x',
    tags: [],
    count: 1,
    status: 'ok',
    statusSince: at,
    links: [],
    statusEndpoints: [endpoint],
    dependencies: [],
  };
}

function byHand(status: ResourceValue['status']) {
  return { name: 'Mail', tags: [], count: 1, status, links: [], statusEndpoints: [], dependencies: [] };
}

describe('polling', () => {
  test('a deployment is validated, fails, recovers and is well again, by as few changes as that takes', async () => {
    const world = new World();
    await world.seed({ statusEndpoints: [OWN] }, ['a', 'b']);
    world.statuses.set(endpointOf('a'), 503);
    await world.minutes(2);
    expect(await world.state()).toBe('Deployed-Validating');
    expect(await world.resource('a')).toMatchObject({
      health: { state: 'unhealthy', detail: `${endpointOf('a')}: HTTP 503` },
    });
    world.statuses.clear();
    await world.minutes(1);
    expect(await world.state()).toBe('Deployed-OK');

    world.statuses.set(OWN, 0);
    await world.minutes(2);
    expect(await world.state()).toBe('Deployed-OK');
    await world.minutes(1);
    expect(await world.environment()).toMatchObject({
      state: 'Deployed-Fail',
      failedBy: 'health',
      reason: `The environment is unhealthy (${OWN}: Nobody listens.).`,
    });
    const position = await world.process.records.position(world.scope);
    await world.minutes(10);
    expect(await world.process.records.position(world.scope)).toBe(position);
    world.statuses.clear();
    await world.minutes(5);
    const recovered = await world.environment();
    expect(recovered?.state).toBe('Deployed-OK');
    expect(recovered).not.toHaveProperty('failedBy');
    expect(recovered).not.toHaveProperty('reason');
    expect(await world.states()).toEqual([
      'Deployed-Validating',
      'Deployed-OK',
      'Deployed-Fail',
      'Deployed-Validating',
      'Deployed-OK',
    ]);
    // Created, of itself and twice of each resource; then bad and well of resource a and itself; and the states.
    expect(await world.process.records.position(world.scope)).toBe(3 + 3 + 1 + 2 + 4);
    // What the records carry beside their values is not lost.
    expect((await world.process.records.get(world.scope, environmentKey(world.id)))?.listed).toBe(world.id);
  });

  test('validation ends at its deadline; what an operation failed does not recover by itself', async () => {
    const late = new World();
    late.statuses.set(endpointOf('a'), 301);
    await late.seed({}, ['a']);
    await late.minutes(9);
    expect(await late.state()).toBe('Deployed-Validating');
    await late.minutes(1);
    expect(await late.environment()).toMatchObject({ state: 'Deployed-Fail', failedBy: 'health' });

    const failed = new World();
    await failed.seed({ state: 'Deployed-Fail', reason: 'No quota.' }, ['a']);
    await failed.minutes(3);
    expect(await failed.environment()).toMatchObject({ state: 'Deployed-Fail', reason: 'No quota.' });
    expect(await failed.resource('a')).toMatchObject({ health: { state: 'healthy' } });
  });

  test('what has been wrong for long is asked ever more rarely, and what nothing comes of is left alone', async () => {
    const world = new World();
    await world.seed({ state: 'Deployed-OK' }, ['a']);
    world.statuses.set(endpointOf('a'), 500);
    await world.minutes(35);
    world.asked = [];
    await world.minutes(60);
    expect(world.asked.length).toBeGreaterThanOrEqual(4);
    expect(world.asked.length).toBeLessThanOrEqual(5);

    const plain = new World();
    await plain.seed({ state: 'Deployed-OK' });
    await plain.minutes(5);
    expect(await plain.process.leases.read(plain.scope, environmentKey(plain.id))).toBeUndefined();
  });

  test('what was asked of a resource that has other endpoints by now is not written', async () => {
    const world = new World();
    await world.seed({ state: 'Deployed-OK' }, ['a']);
    const key = resourceKey(world.id, 'a');
    world.meanwhile = async () => {
      const value = resourceWith('http://other.test/', new Date(world.clock.now()).toISOString());
      await world.process.records.commit<ResourceValue>(world.scope, {
        key,
        actor: 'test',
        decide: () => ({ type: 'put', value }),
      });
    };
    await world.minutes(1);
    expect(await world.resource('a')).not.toHaveProperty('health');
    world.meanwhile = () => {};
    await world.minutes(1);
    expect(await world.resource('a')).toMatchObject({ health: { state: 'healthy' } });
  });

  test('what is wrong with a resource that was written down by hand is over when that is removed', async () => {
    const world = new World();
    const { resources, leases } = world.process;
    await world.seed({ state: 'Deployed-OK' });
    const address = { ns: NS, environment: world.id, id: 'mail' };
    await resources.write(address, byHand('failed'), { author: { actor: 'test' } });
    await world.minutes(5);
    expect(await world.environment()).toMatchObject({ state: 'Deployed-Fail', failedBy: 'health' });
    expect(await leases.read(world.scope, environmentKey(world.id))).toBeUndefined();
    await resources.delete(address, { author: { actor: 'test' } });
    await world.minutes(1);
    expect(await world.state()).toBe('Deployed-OK');
  });

  test('a resource is written or removed only soon after its environment was said to be looked at', async () => {
    const world = new World();
    await world.seed({ state: 'Deployed-OK' });
    const address = { ns: NS, environment: world.id, id: 'mail' };
    let slowSteps = 0;
    const gate: Gate = (step, run) => {
      if (step.startsWith('leases') && slowSteps > 0) {
        slowSteps -= 1;
        world.clock.advance(21);
      }
      return run();
    };
    const works = [
      () => world.open(gate).resources.write(address, byHand('ok'), { author: { actor: 'test' } }),
      () => world.open(gate).resources.delete(address, { author: { actor: 'test' } }),
    ];
    for (const work of works) {
      slowSteps = Number.POSITIVE_INFINITY;
      const position = await world.process.records.position(world.scope);
      await expect(work()).rejects.toMatchObject({ kind: 'unavailable' });
      expect(await world.process.records.position(world.scope)).toBe(position);
      slowSteps = 1;
      await work();
      expect(slowSteps).toBe(0);
      expect(await world.process.records.position(world.scope)).toBe(position + 1);
      const held = await world.process.leases.read(world.scope, environmentKey(world.id));
      expect(held?.lease.renewedAt).toBe(world.clock.now());
    }
  });

  test('one sweep asks for a quarter of a minute and no longer; over some of them all get their turn', async () => {
    const world = new World();
    const ids = Array.from({ length: 45 }, (_, nth) => `r${nth}`);
    await world.seed({}, ids);
    world.meanwhile = () => world.clock.advance(1);
    await world.minutes(1);
    // Those that are asked at a time had begun before.
    expect(world.asked.length).toBeLessThanOrEqual(15 + 16);
    expect(await world.state()).toBe('Deployed-Validating');
    for (let nth = 0; nth < 50 && new Set(world.asked).size < ids.length; nth += 1) await world.minutes(1);
    expect(new Set(world.asked).size).toBe(ids.length);
  });
});

describe('the planned destruction', () => {
  const at = (world: World, hours: number) =>
    new Date(world.clock.now() + hours * HOUR * 1_000).toISOString();

  test('is warned of a day before, and then happens once', async () => {
    const world = new World();
    await world.seed({ state: 'Deployed-OK', destructionPlannedOn: at(world, 48) });
    await world.minutes(4);
    world.clock.advance(23 * HOUR);
    await world.minutes(1);
    expect(await world.environment()).not.toHaveProperty('destructionWarnedOn');
    world.clock.advance(HOUR);
    await world.minutes(1);
    expect(await world.environment()).toHaveProperty('destructionWarnedOn');
    expect(await world.operations()).toEqual([]);
    world.clock.advance(24 * HOUR);
    await world.minutes(1);
    await world.work();
    expect(await world.state()).toBe('Destroyed');
    await world.minutes(5);
    expect(await world.operations()).toMatchObject([
      { type: 'environment.destroy', state: 'succeeded', actor: 'system:planned-destruction' },
    ]);
    expect((await world.environment())?.destructionOperation).toBe((await world.operations())[0]?.id);
  });

  test('comes with its warning where that is late, and not at all once it is put off or withdrawn', async () => {
    const past = new World();
    await past.seed({ state: 'Deployed-OK', destructionPlannedOn: at(past, -1) });
    await past.minutes(1);
    await past.work();
    const changes = await past.process.records.changes<EnvironmentValue>(past.scope, { above: 0 });
    const own = changes.filter(({ key }) => key === environmentKey(past.id)).map(({ value }) => value);
    expect(own.findIndex((value) => value?.destructionWarnedOn !== undefined)).toBeLessThan(
      own.findIndex((value) => value?.state === 'Destroying'),
    );
    expect(await past.state()).toBe('Destroyed');

    const putOff = new World();
    await putOff.seed({ state: 'Deployed-OK', destructionPlannedOn: at(putOff, 1) });
    await putOff.minutes(1);
    await putOff.send('later', { destructionPlannedOn: at(putOff, 2) });
    await putOff.work();
    putOff.clock.advance(HOUR);
    await putOff.minutes(2);
    expect(await putOff.state()).toBe('Deployed-OK');
    await putOff.send('never', { destructionPlannedOn: null });
    await putOff.work();
    putOff.clock.advance(2 * HOUR);
    await putOff.minutes(2);
    expect(await putOff.state()).toBe('Deployed-OK');
    expect((await putOff.operations()).map(({ type }) => type)).not.toContain('environment.destroy');
  });

  test('waits for the operations that come first, and does nothing where one of them withdrew it', async () => {
    const world = new World();
    await world.seed({ state: 'Deployed-OK', destructionPlannedOn: at(world, 1) });
    await world.minutes(1);
    await world.send('first', { name: 'another' });
    await world.send('second', { destructionPlannedOn: null });
    world.clock.advance(HOUR);
    await world.minutes(1);
    expect(await world.operations()).toMatchObject([
      { type: 'environment.destroy', state: 'queued' },
      { type: 'environment.update', state: 'queued' },
      { type: 'environment.update' },
    ]);
    await world.work();
    await world.minutes(3);
    await world.work();
    expect(await world.state()).toBe('Deployed-OK');
    expect(await world.operations()).toMatchObject([
      { state: 'failed', error: { reason: expect.stringContaining('no longer planned') } },
      { state: 'succeeded' },
      { state: 'succeeded' },
    ]);
  });

  test('happens once whichever process dies where', async () => {
    const stride = runs(5, 1);
    for (let killedAt = 1 + (printedSeed('planned destruction') % stride); ; killedAt += stride) {
      const world = new World();
      await world.seed({ state: 'Deployed-OK', destructionPlannedOn: at(world, -1) }, ['a']);
      const actor = new Actor();
      const mortal = world.open(actor.gate);
      world.clock.advance(60);
      void actor.start(() => mortal.sweep.run());
      await actor.arrive();
      for (let nth = 1; nth < killedAt && !actor.isFinished; nth += 1) await actor.step();
      const isOver = actor.isFinished;
      actor.kill();
      world.clock.advance(60);
      await world.minutes(2);
      await world.process.operations.sweep.run();
      await world.work();
      const found = await world.operations();
      expect(found, `killed before step ${killedAt}`).toMatchObject([{ state: 'succeeded' }]);
      expect((await world.states()).filter((state) => state === 'Destroying')).toHaveLength(1);
      expect(await world.state()).toBe('Destroyed');
      if (isOver) return;
    }
  });
});
