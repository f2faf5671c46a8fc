/** Flags of commands that change something only where nobody else has meanwhile. */
export const IF_REVISION = {
  placeholder: 'N',
  isNumber: true,
  summary: 'only where it is at this revision',
} as const;

/** Of those that create it as well. */
export const IF_REVISION_OR_NONE = {
  ...IF_REVISION,
  summary: 'only where it is at this revision; 0: only where there is none',
} as const;
