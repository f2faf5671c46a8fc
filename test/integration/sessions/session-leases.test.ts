import { afterAll, beforeAll, expect, test } from 'vitest';
import { conflict, unavailable } from '../../../shared/platform/errors.ts';
import type { Change, Scope } from '../../../shared/records/index.ts';
import { type Process, type SessionsFixture, startSessions } from './sessions-fixture.ts';

const TTL = 10;
const AUTHOR = { actor: 'test' };

let fixture: SessionsFixture;
let one: Process;
let other: Process;
let stores = 0;

beforeAll(async () => {
  fixture = await startSessions();
  one = fixture.openProcess();
  other = fixture.openProcess();
});

afterAll(() => fixture.stop());

function freshScope(): Scope {
  stores += 1;
  return { ns: 'default', kind: 'kv', name: `s${stores}` };
}

async function put(scope: Scope, key: string, lease?: string, { records } = one): Promise<void> {
  await records.commit<string>(scope, {
    key,
    ...AUTHOR,
    decide: () => ({ type: 'put', value: key, ...(lease !== undefined && { lease }) }),
  });
}

async function keysIn(scope: Scope, { records }: Process): Promise<string[]> {
  return (await records.list(scope)).records.map(({ key }) => key);
}

async function changesOf(scope: Scope): Promise<string[]> {
  const { records } = fixture.openProcess();
  const changes: string[] = [];
  for (let revision = 1; ; revision += 1) {
    const change: Change<string> | undefined = await records.readChange(scope, revision);
    if (change === undefined) {
      return changes;
    }
    changes.push(`${change.type} ${change.key}`);
  }
}

async function leasesIn(scope: Scope): Promise<number> {
  const { resources } = await fixture.cosmos
    .connect()
    .container('leases')
    .items.query('SELECT * FROM c', { partitionKey: `${scope.ns}:${scope.kind}:${scope.name}` })
    .fetchAll();
  return resources.length;
}

test('a lease lasts a ttl to 1.5 ttl after its last renewal, and is never revived', async () => {
  const scope = freshScope();
  const { id, expiresAt } = await one.sessions.grant(scope, TTL);
  expect(expiresAt - fixture.clock.now()).toBe(1500 * TTL);

  fixture.clock.advance(4);
  expect((await other.sessions.renew(scope, id)).expiresAt, 'a whole ttl is left').toBe(expiresAt);
  fixture.clock.advance(2);
  expect((await other.sessions.renew(scope, id)).expiresAt).toBe(fixture.clock.now() + 1500 * TTL);
  fixture.clock.advance(14.999);
  expect(await one.sessions.find(scope, id)).toMatchObject({ id, ttl: TTL });
  fixture.clock.advance(0.001);
  for (const { sessions } of [one, other]) {
    expect(await sessions.find(scope, id)).toBeUndefined();
    await expect(sessions.renew(scope, id)).rejects.toMatchObject({ kind: 'not-found' });
  }
});

test('a lease that is none of a session, or of another scope, is none', async () => {
  const scope = freshScope();
  const { id } = await one.sessions.grant(freshScope(), TTL);
  await one.leases.write(
    scope,
    { key: '/kv/x', state: 'live', ttl: 9, expiresAt: 9e15, renewedAt: 0 },
    undefined,
  );
  for (const strange of [id, '/kv/x', 'lse_', '']) {
    await expect(one.sessions.renew(scope, strange)).rejects.toMatchObject({ kind: 'not-found' });
    await expect(one.attached.revoke(scope, strange, AUTHOR)).rejects.toMatchObject({ kind: 'not-found' });
  }
});

test('what is attached is gone for all readers the moment that the lease lapses, without any sweep', async () => {
  const scope = freshScope();
  const { id } = await one.sessions.grant(scope, TTL);
  await put(scope, '/kv/s/a', id);
  await put(scope, '/kv/s/b');
  const large = fixture.openProcess(undefined, { snapshotLimits: { records: 1, bytes: 1_000_000 } });
  const readers = [one, other, large, fixture.openProcess()];
  fixture.clock.advance(14.999);
  for (const reader of readers) {
    expect(await keysIn(scope, reader)).toEqual(['/kv/s/a', '/kv/s/b']);
    expect(await reader.records.get(scope, '/kv/s/a')).toMatchObject({ lease: id, revision: 1 });
  }
  fixture.clock.advance(0.001);
  for (const reader of [...readers, fixture.openProcess()]) {
    expect(await reader.records.get(scope, '/kv/s/a')).toBeUndefined();
    const listing = await reader.records.list(scope);
    expect(listing.records.map(({ key }) => key)).toEqual(['/kv/s/b']);
    expect(listing).toMatchObject({ revision: 2, hidesLapsed: true });
  }
  expect(await changesOf(scope), 'reading writes nothing').toEqual(['put /kv/s/a', 'put /kv/s/b']);
});

test('what a renewal elsewhere keeps alive is shown', async () => {
  const scope = freshScope();
  const { id } = await one.sessions.grant(scope, TTL);
  await put(scope, '/kv/s/a', id);
  expect(await keysIn(scope, one)).toHaveLength(1);
  fixture.clock.advance(10);
  await other.sessions.renew(scope, id);
  fixture.clock.advance(10);
  expect(await keysIn(scope, one)).toEqual(['/kv/s/a']);
  expect(await one.records.get(scope, '/kv/s/a')).toBeDefined();
});

test('leases that are known to be alive cost a reader nothing, and records without one ask for none', async () => {
  const scope = freshScope();
  const { id } = await one.sessions.grant(scope, TTL);
  await put(scope, '/kv/s/a', id);
  await put(scope, '/kv/s/b', id);
  const plain = freshScope();
  await put(plain, '/kv/s/a');
  let calls = 0;
  const counting = fixture.openProcess((_step, run) => {
    calls += 1;
    return run();
  });
  await counting.records.list(scope);
  const withLeases = calls;
  await counting.records.list(plain);
  expect(withLeases, 'one read of the lease more than a scope without any').toBe(calls - withLeases + 1);

  calls = 0;
  await counting.records.list(scope);
  expect(calls, 'the proof that the snapshot is current').toBe(1);
  await counting.records.list(scope, { maxAgeSeconds: 60 });
  expect(calls).toBe(1);
  await counting.records.get(scope, '/kv/s/a');
  expect(calls).toBe(2);
});

test('who writes a key whose lease has lapsed ends the lease and puts the old record down first', async () => {
  const scope = freshScope();
  const { id } = await one.sessions.grant(scope, TTL);
  await put(scope, '/kv/s/a', id);
  fixture.clock.advance(15);
  const found: unknown[] = [];
  const { created, record } = await other.records
    .commit<string>(scope, {
      key: '/kv/s/a',
      ...AUTHOR,
      decide: (current) => {
        found.push(current);
        return { type: 'put', value: 'new' };
      },
    })
    .then((commit) => ({ created: commit.previous === undefined, record: commit.record }));
  expect(found).toEqual([undefined]);
  expect(created).toBe(true);
  expect(record).not.toHaveProperty('lease');
  expect(await changesOf(scope)).toEqual(['put /kv/s/a', 'expire /kv/s/a', 'put /kv/s/a']);

  // Even for a process whose clock is so slow that the lease looks alive to it.
  const slow = fixture.openProcess();
  slow.clock.skew = -60_000;
  await expect(slow.sessions.renew(scope, id)).rejects.toMatchObject({ kind: 'not-found' });
});

test('what is attached in a batch is there for what follows in it', async () => {
  const scope = freshScope();
  const { id } = await one.sessions.grant(scope, TTL);
  // The first goes alone, and those that come meanwhile go together.
  await Promise.all([put(scope, '/kv/s/a'), put(scope, '/kv/s/b', id), put(scope, '/kv/s/b', id)]);
  expect(await changesOf(scope)).toEqual(['put /kv/s/a', 'put /kv/s/b', 'put /kv/s/b']);
});

test('a write that has waited longer than its writer is patient is not tried, so that none attaches to a lease that is long over', async () => {
  const { promise: isHeld, resolve: release } = Promise.withResolvers<void>();
  const slow = fixture.openProcess(async (step, run) => {
    await (step === 'batch' ? isHeld : undefined);
    return await run();
  });
  const scope = freshScope();
  const { id } = await one.sessions.grant(scope, TTL);
  const writes = Promise.allSettled([
    put(scope, '/kv/s/a', undefined, slow),
    put(scope, '/kv/s/b', id, slow),
  ]);
  fixture.clock.advance(60);
  release();
  expect(await writes).toMatchObject([
    { status: 'fulfilled' },
    { reason: { kind: 'unavailable', message: expect.stringContaining('nothing was written') } },
  ]);
  expect(await changesOf(scope)).toEqual(['put /kv/s/a']);
});

test('who cannot know whether an attempt still comes to stand is not told that it does not, whatever time has made of its decision', async () => {
  const scope = freshScope();
  let attempt = async (): Promise<unknown> => undefined;
  const cutOff = fixture.openProcess(async (step, run) => {
    if (step !== 'batch') {
      return await run();
    }
    attempt = run;
    fixture.clock.advance(1);
    throw Object.assign(new Error('The connection is lost, and the request under way.'), {
      code: 'ECONNRESET',
    });
  });
  const deadline = fixture.clock.now() + 1;
  const write = cutOff.records.commit<string>(scope, {
    key: '/kv/s/a',
    ...AUTHOR,
    decide: () => {
      if (cutOff.clock.now() >= deadline) {
        throw conflict('It is too late.');
      }
      return { type: 'put', value: 'a' };
    },
  });
  await expect(write).rejects.toMatchObject({ kind: 'unavailable' });
  await attempt();
  expect(await changesOf(scope)).toEqual(['put /kv/s/a']);
});

test('what was attached goes in a sweep of a process that has not heard of the end of its lease', async () => {
  const scope = freshScope();
  const { id } = await one.sessions.grant(scope, TTL);
  await put(scope, '/kv/s/a', id);
  expect(await keysIn(scope, other)).toEqual(['/kv/s/a']);
  await one.sessions.end(scope, id); // As if the process had died before it removed anything.
  expect((await other.sweep()).failed).toEqual([]);
  expect(await changesOf(scope)).toEqual(['put /kv/s/a', 'expire /kv/s/a']);
});

test('the sweep writes the ends down, and looks again for what a slow writer attached meanwhile', async () => {
  fixture.clock.advance(1_000);
  await one.sweep(); // What the tests before have left.
  const scope = freshScope();
  const { id } = await one.sessions.grant(scope, TTL);
  for (const key of ['/kv/s/a', '/kv/s/b', '/kv/s/c']) {
    await put(scope, key, id);
  }
  await put(scope, '/kv/s/b');
  fixture.clock.advance(15);
  expect(await one.sweep()).toMatchObject({ expired: 2, failed: [] });
  expect((await changesOf(scope)).slice(4)).toEqual(['expire /kv/s/a', 'expire /kv/s/c']);
  expect(await keysIn(scope, other)).toEqual(['/kv/s/b']);

  await put(scope, '/kv/s/late', id);
  expect(await keysIn(scope, other), 'attached to a lease that is over').toEqual(['/kv/s/b']);
  fixture.clock.advance(59.999);
  expect(await other.sweep()).toMatchObject({ expired: 1 });
  expect(await leasesIn(scope)).toBe(1);
  fixture.clock.advance(0.001);
  await put(scope, '/kv/s/later', id);
  expect(await other.sweep()).toMatchObject({ expired: 1 });
  expect(await leasesIn(scope)).toBe(0);
  expect(await other.sweep()).toMatchObject({ expired: 0, collected: 0 });
  expect(await keysIn(scope, fixture.openProcess())).toEqual(['/kv/s/b']);
});

test('a renewal between what the sweep found and its first step keeps everything', async () => {
  const scope = freshScope();
  const { id } = await one.sessions.grant(scope, TTL);
  await put(scope, '/kv/s/a', id);
  fixture.clock.advance(14);
  const fast = fixture.openProcess(async (step, run) => {
    const answer = await run();
    if (step === 'query') {
      await one.sessions.renew(scope, id);
    }
    return answer;
  });
  fast.clock.skew = 2_000;
  expect(await fast.sweep()).toMatchObject({ expired: 0, failed: [] });
  expect(await keysIn(scope, one)).toEqual(['/kv/s/a']);
});

test('revoking deletes what is attached at once, however much it is, and nothing else', async () => {
  const scope = freshScope();
  const { id } = await one.sessions.grant(scope, TTL);
  const another = await one.sessions.grant(scope, TTL);
  const keys = Array.from({ length: 120 }, (_, index) => `/kv/s/${String(index).padStart(3, '0')}`);
  await Promise.all(keys.map((key) => put(scope, key, id)));
  await put(scope, '/kv/s/other', another.id);
  await put(scope, '/kv/s/000', another.id);
  expect(await keysIn(scope, other)).toHaveLength(121);

  await one.attached.revoke(scope, id, { actor: 'owner' });
  for (const reader of [one, other, fixture.openProcess()]) {
    expect(await keysIn(scope, reader)).toEqual(['/kv/s/000', '/kv/s/other']);
  }
  const last = await other.records.readChange(scope, 241);
  expect(last).toMatchObject({ type: 'delete', actor: 'owner', previous: { lease: id } });
  expect((await changesOf(scope)).slice(122).every((change) => change.startsWith('delete '))).toBe(true);
  await expect(other.sessions.renew(scope, id)).rejects.toMatchObject({ kind: 'not-found' });
  await expect(other.attached.revoke(scope, id, AUTHOR)).rejects.toMatchObject({ kind: 'not-found' });
});

test('whoever revokes a lease and hears no answer does not go on to count it as alive', async () => {
  const scope = freshScope();
  let losesAnswers = false;
  const gated = fixture.openProcess(async (step, run) => {
    const answer = await run();
    if (losesAnswers && step === 'replace') {
      throw unavailable('The answer is lost.');
    }
    return answer;
  });
  const { id } = await gated.sessions.grant(scope, TTL);
  await put(scope, '/kv/a', id, gated);
  expect(await keysIn(scope, gated)).toEqual(['/kv/a']);
  losesAnswers = true;
  await expect(gated.attached.revoke(scope, id, AUTHOR)).rejects.toMatchObject({ kind: 'unavailable' });
  losesAnswers = false;
  expect(await gated.records.get(scope, '/kv/a')).toBeUndefined();
  expect(await keysIn(scope, gated)).toEqual([]);
});
