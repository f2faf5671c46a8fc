import type { Grant } from '../../election/elections.ts';
import { defineCommand } from '../command.ts';
import { notFound } from '../not-found.ts';
import { wholeNumber } from '../whole-number.ts';

const DEFAULT_TTL = 30;

const campaign = defineCommand({
  name: 'election campaign',
  summary: 'Makes a candidate the leader, where nobody else is',
  notes:
    'The answer holds the fencing token: hand it on with whatever the leader does, and into "election resign".',
  args: ['<name>', '<candidate>'],
  flags: {
    ttl: {
      placeholder: 'SECONDS',
      isNumber: true,
      summary: `lead so long without a renewal (${DEFAULT_TTL})`,
    },
    wait: { placeholder: 'SECONDS', isNumber: true, summary: 'wait so long for the turn, up to 200 (0)' },
  },
  examples: ['skerry election campaign nightly-job host1 --ttl 60 --wait 30'],
  async run({ args, flags, client, output, signal }) {
    const { ttl = DEFAULT_TTL, wait } = flags;
    const grant = await client.elections.campaign(args.name, {
      candidate: args.candidate,
      ttl,
      wait,
      signal,
    });
    output.document(grant, () => describe(grant));
    return undefined;
  },
});

const get = defineCommand({
  name: 'election get',
  summary: 'Shows who leads',
  args: ['<name>'],
  flags: {},
  examples: ['skerry election get nightly-job'],
  async run({ args, client, output, signal }) {
    const grant = await client.elections.leader(args.name, { signal });
    if (grant === undefined) throw notFound(`Nobody leads "${args.name}".`);
    output.document(grant, () => describe(grant));
    return undefined;
  },
});

const resign = defineCommand({
  name: 'election resign',
  summary: 'Ends a leadership',
  args: ['<name>', '<fencing-token>'],
  flags: {},
  examples: ['skerry election resign nightly-job 17'],
  async run({ args, client, output, signal }) {
    const token = wholeNumber(args['fencing-token'], 'FENCING-TOKEN');
    const led = await client.elections.resign(args.name, token, { signal });
    if (!led) throw notFound(`The token ${token} does not lead "${args.name}".`);
    output.document({ name: args.name, resigned: true }, () => `nobody leads ${args.name} any more`);
    return undefined;
  },
});

export const electionCommands = [campaign, get, resign];

function describe({ name, candidate, token, expiresAt }: Grant): string {
  return `${candidate} leads ${name} until ${expiresAt}, with the fencing token ${token}`;
}
