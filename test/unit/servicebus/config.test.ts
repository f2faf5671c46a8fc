import { describe, expect, it } from 'vitest';
import { readQueueSettings, type ServiceBusConfig } from '../../../infra/local/servicebus/config.ts';
import { parseIsoDuration } from '../../../infra/local/servicebus/iso-duration.ts';

type QueueDeclaration = NonNullable<ServiceBusConfig['UserConfig']['Namespaces'][number]['Queues']>[number];

function declare(properties: QueueDeclaration['Properties'], names = ['orders']): ServiceBusConfig {
  const Queues = names.map((Name) => ({ Name, ...(properties && { Properties: properties }) }));
  return { UserConfig: { Namespaces: [{ Name: 'sbemulatorns', Queues, Topics: [] }] } };
}

describe('the configuration', () => {
  it("takes the official emulator's properties", () => {
    const settings = readQueueSettings(
      declare({
        DeadLetteringOnMessageExpiration: true,
        DefaultMessageTimeToLive: 'PT1H',
        DuplicateDetectionHistoryTimeWindow: 'PT20S',
        ForwardDeadLetteredMessagesTo: '',
        ForwardTo: '',
        LockDuration: 'PT1M30S',
        MaxDeliveryCount: 3,
        RequiresDuplicateDetection: true,
        RequiresSession: true,
      }),
    );
    expect(settings).toEqual([
      {
        name: 'orders',
        lockDuration: 90_000,
        maxDeliveryCount: 3,
        defaultTimeToLive: 3_600_000,
        deadLetterOnExpiration: true,
        requiresSession: true,
        duplicateDetectionWindow: 20_000,
      },
    ]);
  });

  it("falls back to the service's defaults", () => {
    expect(readQueueSettings(declare(undefined))).toEqual([
      {
        name: 'orders',
        lockDuration: 60_000,
        maxDeliveryCount: 10,
        deadLetterOnExpiration: false,
        requiresSession: false,
      },
    ]);
  });

  it.each([
    ['forwarding', declare({ ForwardTo: 'other' } as never), 'does not support ForwardTo'],
    ['an unknown property', declare({ EnablePartitioning: true } as never), 'EnablePartitioning'],
    ['a lock that is too long', declare({ LockDuration: 'PT6M' }), 'LockDuration'],
    ['what is no duration', declare({ DefaultMessageTimeToLive: '1 hour' }), '"1 hour"'],
    ['a name twice', declare({}, ['orders', 'Orders']), 'twice'],
    ['a bad name', declare({}, ['$orders']), 'Not a valid queue name'],
  ])('refuses %s and says so', (_, config, message) => {
    expect(() => readQueueSettings(config)).toThrow(message);
  });

  it('refuses topics', () => {
    const config = { UserConfig: { Namespaces: [{ Name: 'n', Queues: [], Topics: [{ Name: 't' }] }] } };
    expect(() => readQueueSettings(config)).toThrow('does not support topics');
  });
});

it.each([
  ['PT20S', 20_000],
  ['PT0.5S', 500],
  ['P1DT1H1M1S', 90_061_000],
  ['P7D', 604_800_000],
  ['P', undefined],
  ['PT', undefined],
  ['P1DT', undefined],
  ['P1M', undefined],
  ['20', undefined],
])('reads the duration %s', (text, milliseconds) => {
  expect(parseIsoDuration(text)).toBe(milliseconds);
});
