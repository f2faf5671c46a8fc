import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { printedSeed, runs } from '../seeded-runs.ts';
import {
  AUTHOR,
  freshAddress,
  PLAIN,
  type Process,
  type RegistryFixture,
  startRegistry,
} from './registry-fixture.ts';

const TTL = 8;

let fixture: RegistryFixture;
let processes: readonly Process[];

beforeAll(async () => {
  fixture = await startRegistry();
  processes = [fixture.openProcess(), fixture.openProcess()];
});

afterAll(() => fixture.stop());

type Event =
  | { readonly type: 'wait'; readonly milliseconds: number }
  | { readonly type: 'beat' | 'register' | 'sweep' | 'look' | 'look at memory'; readonly process: 0 | 1 };

const events = fc.oneof(
  fc.record({ type: fc.constant('wait' as const), milliseconds: fc.integer({ min: 1, max: 9_000 }) }),
  fc.record({
    type: fc.constantFrom('beat', 'beat', 'register', 'sweep', 'look', 'look at memory'),
    process: fc.constantFrom(0, 1),
  }),
) as fc.Arbitrary<Event>;

test('an instance is never reported expired before a ttl has passed since its last accepted beat, nor alive 1.5 ttl after it', {
  timeout: 600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(events, { minLength: 5, maxLength: 40 }), async (history) => {
      const address = freshAddress();
      let acceptedAt = Number.NaN;

      const checkHealth = (health: string | undefined, mayBeOld: boolean) => {
        const since = fixture.clock.now() - acceptedAt;
        if (since < 1000 * TTL && !mayBeOld) {
          expect(health).toBe('passing');
        }
        if (since >= 1500 * TTL) {
          expect(health).toBe('expired');
        }
      };
      const perform = async (event: Event) => {
        if (event.type === 'wait') {
          fixture.clock.advance(event.milliseconds / 1000);
          return;
        }
        const registry = processes[event.process]?.registry;
        switch (event.type) {
          case 'register':
            await registry?.register(address, { ...PLAIN, ttl: TTL }, { author: AUTHOR });
            acceptedAt = fixture.clock.now();
            return;
          case 'beat':
            await registry?.heartbeat(address).then(
              () => {
                acceptedAt = fixture.clock.now();
              },
              (error: unknown) => {
                expect(error).toMatchObject({ kind: 'not-found' });
                checkHealth('expired', false);
              },
            );
            return;
          case 'sweep':
            await processes[event.process]?.sweep();
            return;
          case 'look':
            checkHealth((await registry?.getInstance(address))?.health, false);
            checkHealth(
              (await registry?.getService(address.ns, address.service))?.instances[0]?.health,
              false,
            );
            return;
          case 'look at memory': {
            const options = { maxAgeSeconds: 60 };
            const view = await registry?.getService(address.ns, address.service, options);
            checkHealth(view?.instances[0]?.health, true);
          }
        }
      };

      await perform({ type: 'register', process: 0 });
      for (const event of history) {
        await perform(event);
      }
    }),
    { seed: printedSeed('liveness'), numRuns: runs(60, 3_000) },
  );
});
