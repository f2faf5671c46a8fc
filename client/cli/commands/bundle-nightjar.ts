import path from 'node:path';
import { noteReplaced } from '../bundle/note-replaced.ts';
import { noteLostLabels, readReference, readVersionFlags, VERSION_FLAGS } from '../bundle/version-flags.ts';
import { defineCommand } from '../command.ts';
import { DESCRIPTOR } from '../nightjar/descriptor.ts';
import type { Activity } from '../nightjar/entity.ts';
import { pullEntities } from '../nightjar/pull-entities.ts';
import { pushEntities } from '../nightjar/push-entities.ts';
import { notFound } from '../not-found.ts';

/** The operations of Nightjar's manager, for each of its activities; of what is generated it had no push. */
const OPERATIONS: readonly { readonly noun: string; readonly activity: Activity; readonly what: string }[] = [
  { noun: 'templates', activity: 'template-creation', what: 'templates' },
  { noun: 'configured', activity: 'proxy-configuration', what: 'generated proxy configuration' },
];

const FILTER_FLAGS = {
  namespace: { placeholder: 'NAME', summary: 'only of this namespace' },
  protection: { placeholder: 'NAME', summary: 'only of this protection' },
  serviceId: { placeholder: 'ID', summary: 'only of this service id' },
  service: { placeholder: 'NAME', summary: 'only of this service' },
  color: { placeholder: 'NAME', summary: 'only of this color' },
  purpose: { placeholder: 'NAME', summary: 'only files of this name' },
} as const;

export const bundleNightjarCommands = OPERATIONS.flatMap(({ noun, activity, what }) => [
  defineCommand({
    name: `bundle push-${noun}`,
    summary: `Publishes a folder of Nightjar's ${what} as a version`,
    notes: `Each folder in FOLDER that has a ${DESCRIPTOR[activity]} says by it whom its other files are for; what begins with a dot and deeper folders are left alone. All of them are one new version: what they do not hold is not in it. A folder whose descriptor is invalid is left out, which is said on standard error. docs/bundles.md tells the details.`,
    args: ['<folder>'],
    flags: { ...bundleFlag(activity), ...VERSION_FLAGS },
    examples: [`skerry bundle push-${noun} ${noun}/ --message 'Time out after 5 s'`],
    async run({ args, flags, client, output, signal, folder }) {
      const { bundle = activity } = flags;
      const warn = (text: string) => output.note(`skerry: ${text}`);
      const { version, count } = await pushEntities(bundle, path.resolve(folder, args.folder), {
        client,
        output,
        signal,
        activity,
        warn,
        ...readVersionFlags(flags),
      });
      const made = `version ${version.version} of ${bundle}`;
      output.document(version, () =>
        version.unchanged ? `${made} has that content already` : `${made}: ${countOf(count)}`,
      );
      noteLostLabels(bundle, version, flags, output);
      return undefined;
    },
  }),
  defineCommand({
    name: `bundle pull-${noun}`,
    summary: `Makes a folder hold Nightjar's ${what}, as "push-${noun}" reads it`,
    notes:
      'A folder for each of whom files are for, with a descriptor that says so. FOLDER is replaced as a whole; one that holds anything but what was pulled there is left alone, unless --force says otherwise. What is no entity of Nightjar is left out, which is said on standard error. The flags that name fields take only what has these; __default__ (of the protection: default) asks for what is for everybody.',
    args: ['<folder>'],
    flags: {
      ...bundleFlag(activity),
      version: { placeholder: 'VERSION', summary: 'a number, "latest", a channel or a label (latest)' },
      force: { summary: 'replace the folder with all that it holds' },
      ...filterFlags(activity),
    },
    examples: [`skerry bundle pull-${noun} ${noun}/ --version stable`],
    async run({ args, flags, client, output, signal, folder }) {
      const { bundle = activity, version: reference = 'latest', force } = flags;
      const { namespace, protection, serviceId, service, color, purpose } = flags;
      const reader = await client.bundles.open(bundle, readReference(reference), { signal });
      if (reader === undefined) {
        throw notFound(
          `The bundle "${bundle}" has no version "${reference}".`,
          `See "skerry bundle list ${bundle}".`,
        );
      }
      const entities = await pullEntities(reader, path.resolve(folder, args.folder), {
        activity,
        filter: { namespace, protection, service_id: serviceId, service, color, purpose },
        force,
        output,
        signal,
      });
      const { version } = reader;
      output.document(
        {
          bundle,
          version,
          entities: entities.map(({ subject, purpose }) => ({
            type: subject.kind,
            ...subject.fields,
            purpose,
          })),
        },
        () => `${args.folder} holds version ${version} of ${bundle}: ${countOf(entities.length)}`,
      );
      noteReplaced(path.resolve(folder, args.folder), folder, output);
      return undefined;
    },
  }),
]);

function bundleFlag(activity: Activity) {
  return { bundle: { placeholder: 'BUNDLE', summary: `of this bundle (${activity})` } } as const;
}

function filterFlags(activity: Activity): typeof FILTER_FLAGS {
  const { serviceId, ...others } = FILTER_FLAGS;
  // A flag that there is not is never given.
  return activity === 'proxy-configuration' ? FILTER_FLAGS : (others as typeof FILTER_FLAGS);
}

function countOf(files: number): string {
  return `${files} ${files === 1 ? 'file' : 'files'}`;
}
