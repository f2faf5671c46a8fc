import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GossipRegistry } from '../../../shared/federation/index.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { Records } from '../../../shared/records/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';

const SCOPE = { ns: 'default', kind: 'reg', name: '' };
const AUTHOR = { actor: 'test' };

let cosmos: CosmosFixture;
let records: Records;
let registry: GossipRegistry;

beforeEach(async () => {
  cosmos = await startCosmos();
  records = connect();
  registry = new GossipRegistry(records);
});

afterEach(async () => {
  await cosmos.stop();
});

function connect(): Records {
  const container = cosmos.connect().container(COSMOS_CONTAINERS.records.id);
  return new Records({ container, clock: systemClock, random: systemRandom });
}

function node(address: string, lastUpdate: number, appName = 'greeter') {
  return { address, appName, lastUpdate };
}

async function revision(): Promise<number> {
  return (await records.list(SCOPE)).revision;
}

describe('the gossip registry', () => {
  it('is empty until somebody registers', async () => {
    expect(await registry.list()).toEqual([]);
  });

  it('only raises last_update, keeps the first name, and writes nothing for old news', async () => {
    await registry.register(node('127.0.0.1:5000', 5), AUTHOR);
    await registry.register(node('127.0.0.1:5000', 3), AUTHOR);
    await registry.register(node('127.0.0.1:5000', 5, 'other'), AUTHOR);
    expect(await registry.list()).toEqual([node('127.0.0.1:5000', 5)]);
    expect(await revision()).toBe(1);
    await registry.register(node('127.0.0.1:5000', 9, 'other'), AUTHOR);
    expect(await registry.list()).toEqual([node('127.0.0.1:5000', 9)]);
    expect(await revision()).toBe(2);
  });

  it('takes a last_update of 0', async () => {
    await registry.register(node('0:0', 0), AUTHOR);
    expect(await registry.list()).toEqual([node('0:0', 0)]);
  });

  it('keeps addresses apart whatever characters they hold', async () => {
    const addresses = ['[::1]:80', '::1:80', 'a/b', 'a|b', 'a~1b', 'http://h:1/?x#y', 'a%2Fb', 'a\\b'];
    await registry.registerAll(
      addresses.map((address, index) => node(address, index)),
      AUTHOR,
    );
    expect(await registry.list()).toHaveLength(addresses.length);
    expect(await registry.list()).toEqual(
      expect.arrayContaining(addresses.map((address, index) => node(address, index))),
    );
  });

  it('merges a long list entry by entry, and the same list again without a write', async () => {
    await registry.registerAll([node('10.0.0.0:1', 7), node('10.0.0.1:1', 1)], AUTHOR);
    const pushed = Array.from({ length: 500 }, (_, index) => node(`10.0.0.${index}:1`, 5, 'pushed'));
    await registry.registerAll(pushed, AUTHOR);
    const list = new Map((await registry.list()).map((entry) => [entry.address, entry]));
    expect(list.size).toBe(500);
    expect(list.get('10.0.0.0:1')).toEqual(node('10.0.0.0:1', 7));
    expect(list.get('10.0.0.1:1')).toEqual(node('10.0.0.1:1', 5));
    expect(list.get('10.0.0.499:1')).toEqual(node('10.0.0.499:1', 5, 'pushed'));
    const before = await revision();
    await registry.registerAll(pushed, AUTHOR);
    expect(await revision()).toBe(before);
  });

  it('ends at the newest last_update when two processes register the same node at once', async () => {
    const other = new GossipRegistry(connect());
    const updates = Array.from({ length: 40 }, (_, index) => index + 1);
    await Promise.all(
      updates.map((update) =>
        (update % 2 === 0 ? registry : other).register(node('127.0.0.1:5000', update), AUTHOR),
      ),
    );
    expect(await registry.list()).toEqual([node('127.0.0.1:5000', 40)]);
    expect(await other.list()).toEqual([node('127.0.0.1:5000', 40)]);
  });
});
