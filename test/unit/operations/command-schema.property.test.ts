import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandSchema } from '../../../functions/http/environments/command-schema.ts';
import { composeServices } from '../../../functions/services.ts';
import { commandEventSchema } from '../../../shared/operations/index.ts';
import { readSettings } from '../../../shared/platform/settings.ts';
import { CONNECTIONS } from '../../../shared/platform/topology.ts';
import type { Json } from '../../../shared/records/index.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';

const settings = readSettings({
  [CONNECTIONS.cosmos]: 'AccountEndpoint=https://cosmos.test/;AccountKey=a2V5',
  [CONNECTIONS.serviceBus]: 'not used here',
  [CONNECTIONS.blob]: 'not used here',
});
const rules = composeServices(settings).commandRules;

const EVERYTHING = {
  ...{ id: 'prod', name: 'Production', description: 'd', tags: [{ name: 'n', value: 'v' }] },
  templates: [{ id: 'net', version: 1, parameters: { size: 3 } }, { id: 'web' }],
  destructionPlannedOn: '2090-01-02T03:04:05.678+01:00',
  ...{ entrypoints: ['https://example.org/a?b#c'], statusEndpoints: ['http://[::1]:80/'] },
};

/** Data that is right, with every member that there may be. */
const DATA: Readonly<Record<string, Json>> = {
  'environment.create': { environment: EVERYTHING },
  'environment.update': { environment: { ...EVERYTHING, destructionPlannedOn: null } },
  'environment.destroy': { environment: 'prod' },
  'action.run': { environment: 'prod', action: 'net.open', resource: 'net.vnet', parameters: { size: [] } },
  'resource.refresh': { environment: 'prod', resource: 'net.vnet' },
  'template.import': {
    id: 'net',
    template: {
      ...{ name: 'Network', description: 'd', commit: 'abc', tags: [{ name: 'n', value: 'v' }] },
      parameters: { size: { type: 'integer', description: 'd', default: 3, enum: [3, 5] } },
      actions: [
        {
          ...{ name: 'make', executor: 'http', app: { url: 'https://example.org', name: 'App' } },
          ...{ command: { a: [1] }, timeoutSeconds: 60, maxAttempts: 3 },
        },
      ],
      resourceGroups: [
        { id: 'all', name: 'All', tags: [], resources: ['vnet'], dependsOn: ['dns', { external: 'x' }] },
      ],
      resources: [
        {
          ...{ id: 'vnet', name: 'Net', description: 'd', tags: [], count: 2, dependsOn: ['group:x'] },
          ...{ actions: { create: 'make', update: 'make', destroy: 'make' } },
          ...{ links: ['https://example.org'], statusEndpoints: ['https://example.org/status'] },
        },
      ],
      ...{ dependsOn: ['base'], entrypoints: ['https://example.org'] },
    },
  },
  'bundle.activate': {
    ...{ bundle: 'web', channel: 'stable', version: 3 },
    strategy: {
      steps: [
        { percent: 10, bake: 60 },
        { percent: 100, bake: 5 },
      ],
      maxFailures: 2,
    },
  },
};

function eventOf(type: string, data: Json | undefined): { [name: string]: Json | undefined } {
  return {
    ...{ specversion: '1.0', id: '1', source: 'urn:test', type, datacontenttype: 'application/json' },
    ...{ time: '2026-01-02T03:04:05Z', subject: 's', ns: 'default', replyto: 'answers' },
    ...{ callback: 'https://example.org/told', callbacksecret: 'whsec_c2VjcmV0', extension: 'x', data },
  };
}

const ODD_VALUES: readonly Json[] = [
  ...[null, true, 0, 1, -1, 1.5, 1e9, 1e21, [], {}, [{}], { id: 'x' }, ['']],
  ...['', 'x', ' ', '.', '..', 'a/b', 'a.b', 'a.b.c', 'é', '\n', '3', 'latest'],
  ...[61, 129, 201, 257, 513, 2001].map((length) => 'x'.repeat(length)),
  ...[
    'http://a',
    'https://a b',
    'http://',
    'HTTPS://A:99999',
    'ftp://a',
    'a://b',
    'https://user@a/',
    'http://%zz',
  ],
  ...[
    '2026-01-02',
    '2026-01-02T03:04:05',
    '2026-13-02T03:04:05Z',
    '2026-02-30T03:04:05Z',
    '2026-01-02T23:59:60Z',
  ],
  Array.from({ length: 51 }, () => 'https://a'),
];

const mutation = fc.record({
  place: fc.nat(),
  change: fc.oneof(
    fc.constant({ type: 'remove' as const }),
    fc.constant({ type: 'add' as const }),
    fc.constantFrom(...ODD_VALUES).map((value) => ({ type: 'replace' as const, value })),
  ),
});
type Mutation = typeof mutation extends fc.Arbitrary<infer Value> ? Value : never;

/** Every member and item in a value, as what holds it and its name. */
function placesIn(value: unknown): { holder: { [name: string]: unknown }; name: string }[] {
  if (typeof value !== 'object' || value === null) return [];
  const holder = value as { [name: string]: unknown };
  return Object.keys(value).flatMap((name) => [{ holder, name }, ...placesIn(holder[name])]);
}

function mutate(event: object, { place, change }: Mutation): void {
  const places = placesIn(event);
  const at = places[place % places.length];
  if (at === undefined) return;
  const { holder, name } = at;
  if (change.type === 'replace') {
    holder[name] = structuredClone(change.value);
  } else if (Array.isArray(holder)) {
    change.type === 'add' ? holder.push('more') : holder.splice(Number(name), 1);
  } else if (change.type === 'add') {
    holder.unknown = 1;
  } else {
    delete holder[name];
  }
}

/** Whether a command of a type is taken, as the bus and `POST /commands` see it. */
function isTaken(type: string, event: object): boolean {
  const parsed = commandEventSchema.safeParse(event);
  if (!parsed.success || parsed.data.type !== type) return false;
  try {
    rules.check(parsed.data);
    return true;
  } catch {
    return false;
  }
}

describe.each(rules.all().map((rule) => [rule.type, rule] as const))('the schema of %s', (type, rule) => {
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  const isAccepted: ValidateFunction = ajv.compile(commandSchema(rule, `https://skerry.test/${type}`));

  it('accepts what is right', () => {
    const event = eventOf(type, DATA[type]);
    expect(isTaken(type, event)).toBe(true);
    expect(isAccepted(event), JSON.stringify(isAccepted.errors)).toBe(true);
  });

  it('accepts and refuses what the bus does', () => {
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), (mutations) => {
        const event = structuredClone(eventOf(type, DATA[type]));
        for (const one of mutations) mutate(event, one);
        expect([isAccepted(event), event], JSON.stringify(isAccepted.errors)).toEqual([
          isTaken(type, event),
          event,
        ]);
      }),
      { seed: printedSeed(`schema of ${type}`), numRuns: runs(300, 20_000) },
    );
  });
});
