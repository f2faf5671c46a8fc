import rhea from 'rhea';
import { describe, expect, it } from 'vitest';
import { parseMessage } from '../../../infra/local/servicebus/amqp/message-codec.ts';
import { readEntities, type ServiceBusConfig } from '../../../infra/local/servicebus/config.ts';
import { parseIsoDuration } from '../../../infra/local/servicebus/iso-duration.ts';

type QueueDeclaration = NonNullable<ServiceBusConfig['UserConfig']['Namespaces'][number]['Queues']>[number];

function declare(properties: QueueDeclaration['Properties'], names = ['orders']): ServiceBusConfig {
  const Queues = names.map((Name) => ({ Name, ...(properties && { Properties: properties }) }));
  return { UserConfig: { Namespaces: [{ Name: 'sbemulatorns', Queues, Topics: [] }] } };
}

describe('the configuration', () => {
  it("takes the official emulator's properties", () => {
    const settings = readEntities(
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
    expect(settings.queues).toEqual([
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
    expect(readEntities(declare(undefined)).queues).toEqual([
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
    expect(() => readEntities(config)).toThrow(message);
  });

  describe('of topics', () => {
    type Topic = NonNullable<ServiceBusConfig['UserConfig']['Namespaces'][number]['Topics']>[number];
    type Rules = NonNullable<NonNullable<Topic['Subscriptions']>[number]['Rules']>;

    const withTopics = (Topics: Topic[], Queues: QueueDeclaration[] = []): ServiceBusConfig => ({
      UserConfig: { Namespaces: [{ Name: 'sbemulatorns', Queues, Topics }] },
    });
    const withRules = (Rules: Rules) =>
      withTopics([{ Name: 'news', Subscriptions: [{ Name: 'all' }, { Name: 'some', Rules }] }]);
    const sql = (SqlExpression: string, Name = 'rule') => ({
      Name,
      Properties: { FilterType: 'Sql', SqlFilter: { SqlExpression } },
    });

    it("takes the official emulator's properties", () => {
      const { topics } = readEntities(
        withTopics([
          {
            Name: 'news',
            Properties: {
              DefaultMessageTimeToLive: 'PT1H',
              DuplicateDetectionHistoryTimeWindow: 'PT20S',
              RequiresDuplicateDetection: true,
            },
            Subscriptions: [
              {
                Name: 'all',
                Properties: {
                  DeadLetteringOnMessageExpiration: true,
                  DefaultMessageTimeToLive: 'PT30M',
                  LockDuration: 'PT1M30S',
                  MaxDeliveryCount: 3,
                  ForwardDeadLetteredMessagesTo: '',
                  ForwardTo: '',
                  RequiresSession: false,
                },
              },
              { Name: 'default', Properties: { RequiresSession: true } },
            ],
          },
        ]),
      );
      expect(topics).toEqual([
        {
          name: 'news',
          defaultTimeToLive: 3_600_000,
          duplicateDetectionWindow: 20_000,
          subscriptions: [
            {
              name: 'all',
              lockDuration: 90_000,
              maxDeliveryCount: 3,
              defaultTimeToLive: 1_800_000,
              deadLetterOnExpiration: true,
              requiresSession: false,
              matches: expect.any(Function),
            },
            {
              name: 'default',
              lockDuration: 60_000,
              maxDeliveryCount: 10,
              deadLetterOnExpiration: false,
              requiresSession: true,
              matches: expect.any(Function),
            },
          ],
        },
      ]);
    });

    it('joins several rules by OR, and takes everything without rules', () => {
      const CorrelationFilter = { Label: 'a', Properties: { size: 2, ok: true, color: 'red' } };
      const { topics } = readEntities(
        withRules([
          sql("sys.Label = 'b'", '$Default'),
          { Name: 'correlation', Properties: { FilterType: 'Correlation', CorrelationFilter } },
        ]),
      );
      const [all, some] = topics[0]?.subscriptions ?? [];
      const matching = (subject: string, application_properties = {}) => {
        const content = parseMessage(rhea.message.encode({ body: '', subject, application_properties }));
        return [all?.matches(content), some?.matches(content)];
      };
      expect(matching('b')).toEqual([true, true]);
      expect(matching('a', { size: 2, ok: true, color: 'red', other: 1 })).toEqual([true, true]);
      expect(matching('a', { size: '2', ok: true, color: 'red' })).toEqual([true, false]);
      expect(matching('a')).toEqual([true, false]);
    });

    it.each([
      ['ContentType', 'content_type'],
      ['CorrelationId', 'correlation_id'],
      ['Label', 'subject'],
      ['MessageId', 'message_id'],
      ['ReplyTo', 'reply_to'],
      ['ReplyToSessionId', 'reply_to_group_id'],
      ['SessionId', 'group_id'],
      ['To', 'to'],
    ])('correlates by %s', (field, sent) => {
      const CorrelationFilter = { [field]: 'wanted' };
      const { topics } = readEntities(
        withRules([{ Name: 'rule', Properties: { FilterType: 'Correlation', CorrelationFilter } }]),
      );
      const matches = (properties: object) =>
        topics[0]?.subscriptions[1]?.matches(parseMessage(rhea.message.encode({ body: '', ...properties })));
      expect(matches({ [sent]: 'wanted' })).toBe(true);
      expect(matches({ [sent]: 'Wanted' })).toBe(false);
      expect(matches({})).toBe(false);
    });

    it.each<[string, ServiceBusConfig, string]>([
      [
        'an expression that cannot be parsed, with the position',
        withRules([sql("color = 'red' AND")]),
        'UserConfig.Namespaces[0].Topics[0].Subscriptions[1].Rules[0].Properties.SqlFilter.SqlExpression: ' +
          'The SQL expression is invalid at position 18: expected',
      ],
      [
        'an action',
        withRules([
          {
            ...sql('1 = 1'),
            Properties: { ...sql('1 = 1').Properties, Action: { SqlExpression: '' } as never },
          },
        ]),
        'Rules[0].Properties.Action: The emulator does not support actions of rules',
      ],
      [
        'another filter type',
        withRules([{ Name: 'r', Properties: { ...sql('1 = 1').Properties, FilterType: 'SqlFilter' } }]),
        'Rules[0].Properties: Expected the FilterType "Sql" or "Correlation", not "SqlFilter".',
      ],
      [
        'a rule without the filter of its type',
        withRules([{ Name: 'r', Properties: { ...sql('1 = 1').Properties, FilterType: 'Correlation' } }]),
        'needs a CorrelationFilter and no other',
      ],
      [
        'an empty correlation filter',
        withRules([{ Name: 'r', Properties: { FilterType: 'Correlation', CorrelationFilter: {} } }]),
        'CorrelationFilter: A correlation filter needs at least one property.',
      ],
      [
        'a correlation with what is no text, number or boolean',
        withRules([
          {
            Name: 'r',
            Properties: {
              FilterType: 'Correlation',
              CorrelationFilter: { Properties: { a: null as never } },
            },
          },
        ]),
        'CorrelationFilter.Properties.a: Expected text, a number or a boolean. (value: null)',
      ],
      [
        'a rule twice',
        withRules([sql('1 = 1'), sql('2 = 2', 'RULE')]),
        'Rules[1].Name: Declares the rule rule twice',
      ],
      [
        'a subscription twice',
        withTopics([{ Name: 't', Subscriptions: [{ Name: 'a' }, { Name: 'A' }] }]),
        'Subscriptions[1].Name: Declares the subscription a twice.',
      ],
      [
        'a topic twice',
        withTopics([{ Name: 't' }, { Name: 'T' }]),
        'Topics[1].Name: Declares the topic t twice.',
      ],
      [
        'a topic with the name of a queue',
        withTopics([{ Name: 'T' }], [{ Name: 't' }]),
        'Topics[0].Name: A queue and a topic cannot have the same name. (value: "T")',
      ],
      [
        'a subscription name that is too long',
        withTopics([{ Name: 't', Subscriptions: [{ Name: 'x'.repeat(51) }] }]),
        'Subscriptions[0].Name: Not a valid subscription name.',
      ],
      [
        'forwarding',
        withTopics([{ Name: 't', Subscriptions: [{ Name: 's', Properties: { ForwardTo: 'q' as never } }] }]),
        'does not support ForwardTo. (value: "q")',
      ],
      [
        'what only a queue has',
        withTopics([{ Name: 't', Properties: { LockDuration: 'PT1M' } as never }]),
        'Topics[0].Properties: Unrecognized key: "LockDuration"',
      ],
    ])('refuses %s and says where', (_, config, message) => {
      expect(() => readEntities(config)).toThrow(message);
    });

    it('names everything that is wrong at once', () => {
      const Subscriptions = [{ Name: 's', Properties: { MaxDeliveryCount: 0, LockDuration: 'PT1H' } }];
      expect(() => readEntities(withTopics([{ Name: '$t', Subscriptions }]))).toThrow(
        /Topics\[0\]\.Name.*"\$t".*LockDuration.*"PT1H".*MaxDeliveryCount.*0/s,
      );
    });
  });
});

it.each([
  ['PT20S', 20_000],
  ['PT0.5S', 500],
  ['PT1.001S', 1_001],
  ['PT5.4775807S', 5_478],
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
