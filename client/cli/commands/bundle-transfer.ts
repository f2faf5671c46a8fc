import path from 'node:path';
import { noteReplaced } from '../bundle/note-replaced.ts';
import { pullVersion } from '../bundle/pull-version.ts';
import { pushPath } from '../bundle/push-path.ts';
import { noteLostLabels, readReference, readVersionFlags, VERSION_FLAGS } from '../bundle/version-flags.ts';
import { defineCommand } from '../command.ts';
import { formatBytes } from '../format-bytes.ts';
import { notFound } from '../not-found.ts';

export const pushCommand = defineCommand({
  name: 'bundle push',
  summary: 'Publishes a folder or an archive as a version',
  notes: `PLACE is a folder, or a zip, a tar.gz or a tar. Of a folder all files are taken, but for .git and the marker of a pull; symbolic links are followed where they stay inside of it. What is larger than 50 MB goes straight to storage; it has to be a folder or a zip.
Content that the newest version has makes no new one.`,
  args: ['<bundle>', '<place>'],
  flags: {
    ...VERSION_FLAGS,
    ifChangedFrom: {
      placeholder: 'VERSION',
      summary: 'no new version where that one has the content, either',
    },
    ifRevision: {
      placeholder: 'N',
      isNumber: true,
      summary: 'only where the newest version is at this revision; 0: only where there is none',
    },
    channel: { placeholder: 'CHANNEL', summary: 'make this channel stand for the version' },
  },
  examples: [
    'skerry bundle push envoy config/',
    "skerry bundle push envoy release.zip --message 'Release 4.2' --label v4.2",
    'skerry bundle push envoy config/ --channel staging',
  ],
  async run({ args, flags, client, output, signal, folder }) {
    const { bundle } = args;
    const { ifChangedFrom, ifRevision, channel } = flags;
    const version = await pushPath(bundle, path.resolve(folder, args.place), {
      client,
      output,
      signal,
      ...readVersionFlags(flags),
      ifChangedFrom: ifChangedFrom === undefined ? undefined : readReference(ifChangedFrom),
      ifRevision,
    });
    const activated =
      channel === undefined
        ? undefined
        : await client.bundles.channels.activate(bundle, channel, version.version, { signal });
    const made = `version ${version.version} of ${bundle}`;
    output.document({ ...version, ...(activated && { channel: activated }) }, () =>
      [
        version.unchanged
          ? `${made} has that content already`
          : `${made}: ${version.fileCount} ${version.fileCount === 1 ? 'file' : 'files'}, ${formatBytes(version.size)}`,
        ...(activated === undefined ? [] : [`${channel} stands for version ${activated.version}`]),
      ].join('\n'),
    );
    noteLostLabels(bundle, version, flags, output);
    return undefined;
  },
});

export const pullCommand = defineCommand({
  name: 'bundle pull',
  summary: 'Makes a folder hold what a version holds',
  notes:
    'The folder is made beside the old one, checked file by file, and put in its place as a whole. A folder that holds anything but what was pulled there is left alone, unless --force says otherwise.',
  args: ['<bundle>', '<folder>'],
  flags: {
    version: { placeholder: 'VERSION', summary: 'a number, "latest", a channel or a label (latest)' },
    consumer: { placeholder: 'ID', summary: 'of a channel, the version that this consumer gets' },
    force: { summary: 'replace the folder with all that it holds' },
  },
  examples: ['skerry bundle pull envoy /etc/envoy', 'skerry bundle pull envoy config --version stable'],
  async run({ args, flags, client, output, signal, folder: workingFolder }) {
    const { bundle } = args;
    const { version: reference = 'latest', consumer, force } = flags;
    const reader = await client.bundles.open(bundle, readReference(reference), { consumer, signal });
    if (reader === undefined) {
      throw notFound(
        `The bundle "${bundle}" has no version "${reference}".`,
        `See "skerry bundle list ${bundle}".`,
      );
    }
    const folder = path.resolve(workingFolder, args.folder);
    const isNew = await pullVersion(reader, folder, { output, signal, force });
    const { version, facts } = reader;
    const { files, ...shown } = facts;
    output.document({ bundle, folder, unchanged: !isNew, ...shown }, () =>
      isNew
        ? `${args.folder} holds version ${version}: ${files.length} ${files.length === 1 ? 'file' : 'files'}, ${formatBytes(facts.size)}`
        : `${args.folder} holds version ${version} already`,
    );
    if (isNew) noteReplaced(folder, workingFolder, output);
    return undefined;
  },
});
