import type { VersionReference } from '../../bundles/bundle.ts';
import type { FlagValues } from '../command.ts';

/** Flags of commands that publish. */
export const VERSION_FLAGS = {
  message: { placeholder: 'TEXT', summary: 'why there is this version' },
  label: {
    placeholder: 'LABEL',
    isRepeatable: true,
    summary: 'a name by which the version is found too',
  },
} as const;

export function readVersionFlags({ message, label }: FlagValues<typeof VERSION_FLAGS>) {
  return { message, labels: label };
}

/** A reference as a user writes it. */
export function readReference(text: string): VersionReference {
  return /^\d+$/.test(text) ? Number(text) : text;
}
