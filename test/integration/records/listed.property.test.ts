import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import type { Decision, ListedRequest, Records, Scope } from '../../../shared/records/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { printedSeed, runs } from '../seeded-runs.ts';
import { openProcess, ShiftedClock } from './history-fixture.ts';

const KINDS = ['op', 'opa'];
const ORDERS = ['ascending', 'descending'] as const;

const write = fc.record({
  kind: fc.constantFrom(...KINDS),
  name: fc.nat(5),
  /** Relative to the scope, and together with it unique. */
  rank: fc.option(fc.nat(9), { nil: undefined, freq: 4 }),
  lasts: fc.constantFrom(undefined, undefined, 10_000),
  act: fc.constantFrom('put', 'put', 'put', 'put', 'delete', 'expire', 'wait'),
});

let cosmos: CosmosFixture;
let samples = 0;

beforeAll(async () => {
  cosmos = await startCosmos({ partitions: 3 });
});

afterAll(async () => {
  await cosmos.stop();
});

function putOf(value: number, listed: string | undefined, expiresAt?: number): Decision<number> {
  return {
    type: 'put',
    value,
    ...(listed !== undefined && { listed }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}

async function decideAs(records: Records, scope: Scope, decision: Decision<number>): Promise<number> {
  const key = `/${scope.kind}/${scope.name}`;
  const commit = await records.commit<number>(scope, { key, actor: 'test', decide: () => decision });
  return commit.revision;
}

/** Page by page. */
async function listAll(
  records: Records,
  ns: string,
  kind: string,
  request: ListedRequest<number>,
): Promise<[string, string | undefined, number][]> {
  const all: [string, string | undefined, number][] = [];
  let after: string | undefined;
  do {
    const page = await records.listed<number>(ns, kind, { ...request, after });
    expect(page.records.length).toBeLessThanOrEqual(request.limit);
    all.push(
      ...page.records.map(
        ({ scope, record }) =>
          [scope.name, record.listed, record.value] satisfies [string, string | undefined, number],
      ),
    );
    after = page.next;
  } while (after !== undefined);
  return all;
}

describe('the listing of a kind over all scopes', () => {
  it('shows what is listed and alive, in its order, whatever was written', async () => {
    const clock = new ShiftedClock();
    const { records } = openProcess(cosmos, clock);
    const parameters = [
      fc.array(write, { maxLength: 25 }),
      fc.integer({ min: 1, max: 8 }),
      fc.constantFrom(...ORDERS),
    ] as const;
    await fc.assert(
      fc.asyncProperty(...parameters, async (writes, limit, order) => {
        samples += 1;
        const ns = `n${samples}`;
        const model = new Map<
          string,
          { kind: string; name: string; listed: string; value: number; endsAt: number }
        >();
        for (const [value, { kind, name, rank, lasts, act }] of writes.entries()) {
          const scope = { ns, kind, name: `s${name}` };
          const id = `${kind}:${scope.name}`;
          if (act === 'wait') {
            clock.advance(6_000);
            continue;
          }
          model.delete(id);
          if (act === 'delete' || act === 'expire') {
            await decideAs(records, scope, { type: act });
            continue;
          }
          const listed = rank === undefined ? undefined : `${rank}-${scope.name}`;
          const endsAt = lasts === undefined ? undefined : clock.now() + lasts;
          await decideAs(records, scope, putOf(value, listed, endsAt));
          if (listed !== undefined) {
            model.set(id, {
              kind,
              name: scope.name,
              listed,
              value,
              endsAt: endsAt ?? Number.POSITIVE_INFINITY,
            });
          }
        }
        clock.advance(4_000);
        for (const kind of KINDS) {
          const expected = [...model.values()]
            .filter((one) => one.kind === kind && one.endsAt > clock.now())
            .sort((one, other) => (one.listed < other.listed ? -1 : 1));
          if (order === 'descending') expected.reverse();
          const shown = (values: typeof expected) =>
            values.map(({ name, listed, value }) => [name, listed, value]);
          expect(await listAll(records, ns, kind, { limit, order })).toEqual(shown(expected));
          const where = ({ value }: { value: number }) => value % 3 === 0;
          expect(await listAll(records, ns, kind, { limit, order, where })).toEqual(
            shown(expected.filter(where)),
          );
        }
      }),
      { numRuns: runs(12, 300), seed: printedSeed('listed') },
    );
  });

  it('keeps what a record is listed by in snapshots, in storage, and in the past', async () => {
    const clock = new ShiftedClock();
    const large = openProcess(cosmos, clock).records;
    const small = openProcess(cosmos, clock, { records: 0, bytes: 0 }).records;
    const scope = { ns: 'past', kind: 'op', name: 'one' };
    const first = await decideAs(large, scope, putOf(1, 'a'));
    const second = await decideAs(large, scope, putOf(2, undefined));
    await decideAs(large, scope, putOf(3, 'b:c'));
    for (const records of [large, small]) {
      const key = '/op/one';
      expect(await records.get(scope, key)).toMatchObject({ value: 3, listed: 'b:c' });
      expect((await records.list(scope)).records).toMatchObject([{ value: 3, listed: 'b:c' }]);
      expect(await records.getAt(scope, key, first)).toMatchObject({ value: 1, listed: 'a' });
      expect(await records.getAt(scope, key, second)).not.toHaveProperty('listed');
      expect((await records.list(scope, { revision: first })).records).toMatchObject([
        { value: 1, listed: 'a' },
      ]);
      const { changes } = await records.history(scope, { limit: 9 });
      expect(changes.map(({ listed, previous }) => [listed, previous?.listed])).toEqual([
        ['b:c', undefined],
        [undefined, 'a'],
        ['a', undefined],
      ]);
    }
  });

  it('ends a page that would look at too many, and refuses a cursor that is none', async () => {
    const { records } = openProcess(cosmos, new ShiftedClock());
    const container = cosmos.connect().container(COSMOS_CONTAINERS.records.id);
    const scope = { ns: 'many', kind: 'op', name: 'all' };
    for (let index = 0; index < 1_100; index += 100) {
      const operations = Array.from({ length: 100 }, (_, at) => {
        const text = String(index + at).padStart(5, '0');
        const place = {
          scope: 'many:op:all',
          ns: 'many',
          kind: 'op',
          key: `/op/${text}`,
          listed: `many:op:${text}`,
        };
        const resourceBody = {
          id: `r:|op|${text}`,
          type: 'record',
          ...place,
          revision: 1,
          value: index + at,
          createdAt: '',
          updatedAt: '',
        };
        return { operationType: 'Create' as const, resourceBody };
      });
      await container.items.batch(operations, 'many:op:all');
    }
    const where = ({ value }: { value: number }) => value === 1_099;
    const first = await records.listed<number>(scope.ns, scope.kind, { limit: 100, where });
    expect(first.records).toEqual([]);
    const second = await records.listed<number>(scope.ns, scope.kind, {
      limit: 100,
      where,
      after: first.next,
    });
    expect(second).toEqual({ records: [expect.objectContaining({ scope })] });
    const malformed = records.listed('many', 'op', { limit: 1, after: 'bogus' });
    await expect(malformed).rejects.toMatchObject({ kind: 'invalid', field: 'after' });
  });
});
