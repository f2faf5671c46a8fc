import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { BundleChannel, ChannelGates, Rollout, RolloutStep } from '../../bundles/bundle-channels.ts';
import { SkerryProblem } from '../../transport/problem.ts';
import { readReference } from '../bundle/version-flags.ts';
import { collect } from '../collect.ts';
import { defineCommand } from '../command.ts';
import { oneLine } from '../one-line.ts';
import type { Output } from '../output.ts';
import { parseJson } from '../read-value.ts';
import { UsageError } from '../usage-error.ts';

const channels = defineCommand({
  name: 'bundle channels',
  summary: 'Shows which channel stands for which version',
  args: ['<bundle>'],
  flags: {},
  examples: ['skerry bundle channels envoy'],
  async run({ args: { bundle }, client, output, signal }) {
    const items = await collect(client.bundles.channels.list(bundle, { signal }));
    output.table({ items }, ['CHANNEL', 'VERSION', 'PREVIOUS', 'ROLLOUT', 'UPDATED', 'REVISION'], () =>
      items.map(({ channel, version, previous, rollout, updatedAt, revision }) => [
        channel,
        version,
        previous,
        rollout && describeRollout(rollout),
        updatedAt,
        revision,
      ]),
    );
    return undefined;
  },
});

const activate = defineCommand({
  name: 'bundle activate',
  summary: 'Makes a channel stand for a version, at once or step by step',
  notes:
    'VERSION is a number, "latest", another channel or a label. With --step PERCENT:SECONDS so many consumers get it, and after the time those of the next step; after the last one all. It is called off when too many consumers report failure. The gates of the channel have to let it.',
  args: ['<bundle>', '<channel>', '<version>'],
  flags: {
    step: { placeholder: 'PERCENT:SECONDS', isRepeatable: true, summary: 'a step of the rollout' },
    maxFailures: {
      placeholder: 'N',
      isNumber: true,
      summary: 'call it off when so many consumers have failed (1)',
    },
    gates: {
      placeholder: 'FILE',
      summary: 'JSON with "required", "schemas", "webhook": from now on; "null" takes them away',
    },
    ifRevision: {
      placeholder: 'N',
      isNumber: true,
      summary: 'only where the channel is at this revision; 0: only where there is none',
    },
  },
  examples: [
    'skerry bundle activate envoy stable 4',
    'skerry bundle activate envoy stable latest --step 10:300 --step 50:600 --max-failures 3',
  ],
  async run({ args: { bundle, channel, version }, flags, client, output, signal, folder }) {
    const { step, maxFailures, gates, ifRevision } = flags;
    if (maxFailures !== undefined && step === undefined) {
      throw new UsageError('--max-failures belongs to a rollout: give its steps by --step.');
    }
    const options = {
      strategy: step && { steps: step.map(readStep), maxFailures },
      ifRevision,
      signal,
      ...(gates !== undefined && { gates: await readGates(path.resolve(folder, gates)) }),
    };
    try {
      const activated = await client.bundles.channels.activate(
        bundle,
        channel,
        readReference(version),
        options,
      );
      output.document(activated, () => describeChannel(activated));
    } catch (error) {
      if (!output.isJson) noteFailures(error, output);
      throw error;
    }
    return undefined;
  },
});

/** What is done to the rollout that is under way. */
const turns = (
  [
    ['pause', 'Keeps a rollout at its present step'],
    ['resume', 'Lets a paused rollout go on'],
    ['abort', 'Calls a rollout off: everybody has the old version again'],
  ] as const
).map(([verb, summary]) =>
  defineCommand({
    name: `bundle ${verb}`,
    summary,
    args: ['<bundle>', '<channel>'],
    flags: {},
    examples: [`skerry bundle ${verb} envoy stable`],
    async run({ args: { bundle, channel }, client, output, signal }) {
      const turned = await client.bundles.channels[verb](bundle, channel, { signal });
      output.document(turned, () => describeChannel(turned));
      return undefined;
    },
  }),
);

export const bundleChannelCommands = [channels, activate, ...turns];

function readStep(text: string): RolloutStep {
  const [, percent, bake] = /^(\d{1,3}):(\d+)$/.exec(text) ?? [];
  if (percent === undefined)
    throw new UsageError(`--step takes PERCENT:SECONDS, such as 10:300, not "${text}".`);
  return { percent: Number(percent), bake: Number(bake) };
}

async function readGates(file: string): Promise<ChannelGates | null> {
  const gates = parseJson(await readFile(file, 'utf8'), '--gates');
  // Skerry looks into it, and says what is wrong.
  return gates as ChannelGates | null;
}

function describeChannel({ channel, version, rollout }: BundleChannel): string {
  const news = rollout === undefined ? '' : `; ${describeRollout(rollout)}`;
  return oneLine(`${channel} stands for version ${version}${news}`);
}

function describeRollout({ version, state, steps, step, percent, reason }: Rollout): string {
  const reached = percent ?? steps[step]?.percent;
  const isUnderWay = state === 'rolling' || state === 'paused';
  const where = isUnderWay ? ` at ${reached}% (step ${step + 1} of ${steps.length})` : '';
  return `version ${version} ${state}${where}${reason === undefined ? '' : `: ${reason}`}`;
}

/** What the gates have against the version, a line for each. */
function noteFailures(error: unknown, output: Output): void {
  if (!(error instanceof SkerryProblem) || !Array.isArray(error.body.failures)) return;
  for (const { gate, path: file, reason } of error.body.failures) {
    output.note(oneLine(`${gate}${file === undefined ? '' : ` ${file}`}: ${reason}`));
  }
}
