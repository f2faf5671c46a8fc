import type { VersionReference } from '../../bundles/bundle.ts';
import type { PublishedVersion } from '../../bundles/bundle-version.ts';
import type { FlagValues } from '../command.ts';
import type { Output } from '../output.ts';

/** Flags of commands that publish. */
export const VERSION_FLAGS = {
  message: { placeholder: 'TEXT', summary: 'why there is this version' },
  label: {
    placeholder: 'LABEL',
    isRepeatable: true,
    summary: 'a name by which the version is found too',
  },
} as const;

/** Labels belong to what a version is made with, so that one that is there already gets none. */
export function noteLostLabels(
  bundle: string,
  { version, unchanged, labels }: PublishedVersion,
  { label: wanted = [] }: FlagValues<typeof VERSION_FLAGS>,
  output: Pick<Output, 'note'>,
): void {
  if (unchanged !== true) return;
  for (const label of wanted.filter((each) => !labels.includes(each))) {
    output.note(
      `skerry: version ${version} does not get the label "${label}": nothing new was published. A channel can stand for it: skerry bundle activate ${bundle} ${label} ${version}`,
    );
  }
}

export function readVersionFlags({ message, label }: FlagValues<typeof VERSION_FLAGS>) {
  return { message, labels: label };
}

/** A reference as a user writes it. */
export function readReference(text: string): VersionReference {
  return /^\d+$/.test(text) ? Number(text) : text;
}
