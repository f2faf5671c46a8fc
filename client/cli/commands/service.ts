import type { Instance, InstanceInput } from '../../registry/services.ts';
import { collect } from '../collect.ts';
import { defineCommand } from '../command.ts';
import { notFound } from '../not-found.ts';
import { readPairs } from '../read-pairs.ts';
import { UsageError } from '../usage-error.ts';

const list = defineCommand({
  name: 'service list',
  summary: 'Lists the services',
  args: [],
  flags: {},
  examples: ['skerry service list'],
  async run({ client, output, signal }) {
    const items = await collect(client.services.list({ signal }));
    output.table({ items }, ['NAME', 'REVISION', 'PASSING', 'INSTANCES'], () =>
      items.map(({ name, revision, instances }) => [
        name,
        revision,
        instances.filter(({ health }) => health === 'passing').length,
        instances.length,
      ]),
    );
    return undefined;
  },
});

const get = defineCommand({
  name: 'service get',
  summary: 'Shows the instances of a service',
  args: ['<name>'],
  flags: {
    passing: { summary: 'only instances that are passing' },
    tag: { placeholder: 'TAG', isRepeatable: true, summary: 'only instances that have it' },
    zone: { placeholder: 'ZONE', summary: 'only instances of this zone' },
  },
  examples: ['skerry service get web --passing --tag blue'],
  async run({ args, flags, client, output, signal }) {
    const { passing, tag: tags, zone } = flags;
    const service = await client.services.get(args.name, { passing, tags, zone, signal });
    if (service === undefined) {
      throw notFound(
        `There is no service "${args.name}".`,
        'skerry service list shows those that there are.',
      );
    }
    output.table(service, ['ID', 'HEALTH', 'EXPIRES', 'ZONE', 'WEIGHT', 'TAGS', 'ENDPOINTS'], () =>
      service.instances.map(rowOf),
    );
    return undefined;
  },
});

const register = defineCommand({
  name: 'service register',
  summary: 'Registers an instance, or replaces or revives it',
  notes: 'With --ttl it expires unless heartbeats come in time (skerry service heartbeat).',
  args: ['<name>', '<id>'],
  flags: {
    endpoint: {
      placeholder: 'NAME=ADDRESS',
      isRepeatable: true,
      summary: 'a URI or host:port, by name; at least one',
    },
    ttl: { placeholder: 'SECONDS', isNumber: true, summary: 'expire without a heartbeat within so long' },
    tag: { placeholder: 'TAG', isRepeatable: true, summary: 'a tag' },
    zone: { placeholder: 'ZONE', summary: 'where it runs' },
    weight: { placeholder: 'N', isNumber: true, summary: 'its share of the traffic (1)' },
    metadata: { placeholder: 'NAME=TEXT', isRepeatable: true, summary: 'something else to know' },
    draining: { summary: 'it takes no new work' },
  },
  examples: ['skerry service register web host1 --endpoint http=http://10.0.0.1:8080 --ttl 30 --tag blue'],
  async run({ args, flags, client, output, signal }) {
    const { ttl, tag, zone, weight, metadata, draining, endpoint } = flags;
    if (endpoint === undefined) {
      throw new UsageError('An instance needs at least one --endpoint, such as http=http://10.0.0.1:8080.');
    }
    const input: InstanceInput = {
      endpoints: readPairs(endpoint, '--endpoint'),
      ...(ttl !== undefined && { ttl }),
      ...(tag !== undefined && { tags: tag }),
      ...(zone !== undefined && { zone }),
      ...(weight !== undefined && { weight }),
      ...(metadata !== undefined && { metadata: readPairs(metadata, '--metadata') }),
      ...(draining && { status: 'draining' }),
    };
    const instance = await client.services.register(args.name, args.id, input, { signal });
    const until = instance.expiresAt === undefined ? '' : `, until ${instance.expiresAt} without a heartbeat`;
    output.document(instance, () => `${args.name}/${instance.id} is ${instance.health}${until}`);
    return undefined;
  },
});

const heartbeat = defineCommand({
  name: 'service heartbeat',
  summary: 'Keeps an instance alive for at least one more ttl',
  args: ['<name>', '<id>'],
  flags: {},
  examples: ['skerry service heartbeat web host1'],
  async run({ args, client, output, signal }) {
    const isAlive = await client.services.heartbeat(args.name, args.id, { signal });
    if (!isAlive) throw notFound(`${args.name}/${args.id} is unknown or has expired.`, 'Register it again.');
    output.document({ id: args.id, alive: true }, () => `${args.name}/${args.id} counts as alive`);
    return undefined;
  },
});

const deregister = defineCommand({
  name: 'service deregister',
  summary: 'Removes an instance',
  args: ['<name>', '<id>'],
  flags: {},
  examples: ['skerry service deregister web host1'],
  async run({ args, client, output, signal }) {
    const wasThere = await client.services.deregister(args.name, args.id, { signal });
    if (!wasThere) throw notFound(`There is no instance ${args.name}/${args.id}.`);
    output.document({ id: args.id, deleted: true }, () => `removed ${args.name}/${args.id}`);
    return undefined;
  },
});

export const serviceCommands = [list, get, register, heartbeat, deregister];

function rowOf({ id, health, expiresAt, zone, weight, tags, endpoints }: Instance): readonly unknown[] {
  const addresses = Object.entries(endpoints).map(([name, address]) => `${name}=${address}`);
  return [id, health, expiresAt, zone, weight, tags.join(','), addresses.join(' ')];
}
