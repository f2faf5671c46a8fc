import type { BundleDifference, BundleVersion } from '../../bundles/bundle-version.ts';
import { formatDifference } from '../bundle/format-difference.ts';
import { noteLostLabels, readReference, readVersionFlags, VERSION_FLAGS } from '../bundle/version-flags.ts';
import { collect } from '../collect.ts';
import { defineCommand } from '../command.ts';
import { formatBytes } from '../format-bytes.ts';
import { formatTable } from '../format-table.ts';
import { notFound } from '../not-found.ts';
import { showFacts } from '../show-facts.ts';
import { pullCommand, pushCommand } from './bundle-transfer.ts';

const list = defineCommand({
  name: 'bundle list',
  summary: 'Lists the bundles, or the versions of one, the newest first',
  args: ['[bundle]'],
  flags: { limit: { placeholder: 'N', isNumber: true, summary: 'at most so many (100)' } },
  examples: ['skerry bundle list', 'skerry bundle list envoy --limit 10'],
  async run({ args: { bundle }, flags: { limit = 100 }, client: { bundles }, output, signal }) {
    if (bundle === undefined) {
      const items = await collect(bundles.list({ signal }), limit);
      output.table({ items }, ['NAME', 'LATEST', 'UPDATED', 'DESCRIPTION'], () =>
        items.map(({ name, latest, updatedAt, description }) => [name, latest, updatedAt, description]),
      );
      return undefined;
    }
    const items = await collect(bundles.versions.list(bundle, { signal }), limit);
    output.table({ items }, ['VERSION', 'CREATED', 'AUTHOR', 'FILES', 'SIZE', 'LABELS', 'MESSAGE'], () =>
      items.map(({ version, createdAt, author, fileCount, size, labels, message }) => [
        version,
        createdAt,
        author,
        fileCount,
        formatBytes(size),
        labels.join(' '),
        message,
      ]),
    );
    return undefined;
  },
});

const show = defineCommand({
  name: 'bundle show',
  summary: 'Shows a version and its files',
  notes: 'VERSION is a number, "latest", a channel or a label (latest).',
  args: ['<bundle>', '[version]'],
  flags: { consumer: { placeholder: 'ID', summary: 'of a channel, the version that this consumer gets' } },
  examples: ['skerry bundle show envoy', 'skerry bundle show envoy stable --consumer host-17'],
  async run({ args: { bundle, version = 'latest' }, flags: { consumer }, client, output, signal }) {
    const facts = await client.bundles.versions.get(bundle, readReference(version), { consumer, signal });
    if (facts === undefined) throw unknownVersion(bundle, version);
    output.document(facts, () =>
      [describe(facts), '', formatTable(['SIZE', 'SHA-256', 'PATH'], facts.files.map(rowOf))].join('\n'),
    );
    return undefined;
  },
});

const diff = defineCommand({
  name: 'bundle diff',
  summary: 'Shows what differs between two versions',
  notes:
    'Between FROM and TO, each a number, "latest", a channel or a label; without TO between FROM and the newest, without both between the newest and the one before it. Ends with exit code 0, whether or not they differ.',
  args: ['<bundle>', '[from]', '[to]'],
  flags: {},
  examples: [
    'skerry bundle diff envoy',
    'skerry bundle diff envoy stable latest',
    'skerry bundle diff envoy 3 4',
  ],
  async run({ args: { bundle, from, to }, client, output, signal }) {
    const difference: BundleDifference = await client.bundles.versions.diff(bundle, {
      from: from === undefined ? undefined : readReference(from),
      to: to === undefined ? undefined : readReference(to),
      signal,
    });
    output.document(difference, () => formatDifference(difference, output.paint));
    return undefined;
  },
});

const rollback = defineCommand({
  name: 'bundle rollback',
  summary: 'Publishes the content of an earlier version as a new one',
  args: ['<bundle>', '<version>'],
  flags: VERSION_FLAGS,
  examples: ["skerry bundle rollback envoy 3 --message '4 loses requests'"],
  async run({ args: { bundle, version }, flags, client, output, signal }) {
    const options = { ...readVersionFlags(flags), signal };
    const made = await client.bundles.versions.rollback(bundle, readReference(version), options);
    output.document(made, () =>
      made.unchanged
        ? `version ${made.version} of ${bundle} has that content already`
        : `version ${made.version} of ${bundle} has the content of version ${made.rollbackOf}`,
    );
    noteLostLabels(bundle, made, flags, output);
    return undefined;
  },
});

const consumers = defineCommand({
  name: 'bundle consumers',
  summary: 'Shows who runs which version',
  args: ['<bundle>'],
  flags: {},
  examples: ['skerry bundle consumers envoy'],
  async run({ args: { bundle }, client, output, signal }) {
    const items = await collect(client.bundles.consumers.list(bundle, { signal }));
    output.table({ items }, ['CONSUMER', 'VERSION', 'CHANNEL', 'AT', 'FAILED'], () =>
      items.map(({ consumer, version, channel, at, failed }) => [
        consumer,
        version,
        channel,
        at,
        failed && [failed.version, failed.detail].filter(Boolean).join(': '),
      ]),
    );
    return undefined;
  },
});

export const bundleCommands = [pushCommand, pullCommand, list, show, diff, rollback, consumers];

function unknownVersion(bundle: string, version: string) {
  return notFound(
    `The bundle "${bundle}" has no version "${version}".`,
    `See "skerry bundle list ${bundle}".`,
  );
}

function describe(facts: BundleVersion): string {
  const { version, digest, author, message, labels, fileCount, size, archiveSize, createdAt, rollbackOf } =
    facts;
  return showFacts({
    version,
    created: createdAt,
    author,
    message: message === '' ? undefined : message,
    labels: labels.length === 0 ? undefined : labels.join(' '),
    'rollback of': rollbackOf,
    digest,
    files: `${fileCount}, ${formatBytes(size)} (zipped ${formatBytes(archiveSize)})`,
  });
}

function rowOf({
  size,
  sha256,
  path,
}: {
  readonly size: number;
  readonly sha256: string;
  readonly path: string;
}) {
  return [size, sha256, path];
}
