import type { SubscriptionInput } from '../../webhooks/subscription.ts';
import type { Flags, FlagValues } from '../command.ts';
import { readPairs } from '../read-pairs.ts';

/** What a subscription may be made with, beyond what it must be. */
export const SUBSCRIPTION_FLAGS = {
  format: {
    placeholder: 'FORMAT',
    choices: ['standard', 'cloudevents'],
    summary: 'the events of Standard Webhooks, or CloudEvents (standard)',
  },
  mode: {
    placeholder: 'MODE',
    choices: ['structured', 'binary'],
    summary: 'of CloudEvents: attributes in the body, or as headers (structured)',
  },
  type: {
    placeholder: 'TYPE',
    choices: ['put', 'delete', 'expire'],
    isRepeatable: true,
    summary: 'only changes of this type',
  },
  changed: {
    placeholder: 'POINTER',
    isRepeatable: true,
    summary: 'only changes of what this JSON Pointer points at, such as /config/currency',
  },
  field: {
    placeholder: 'POINTER',
    isRepeatable: true,
    summary: 'send only what this JSON Pointer points at',
  },
  ordered: { summary: 'deliver the changes of one log one after the other' },
  consent: { summary: 'ask the endpoint before it is called' },
  header: { placeholder: 'NAME=TEXT', isRepeatable: true, summary: 'send this header too' },
} as const satisfies Flags;

export const SIGNATURE_FLAG = {
  placeholder: 'VERSION',
  choices: ['v1', 'v1a'],
  summary: 'v1 signs with a shared secret, v1a with a key pair (v1)',
} as const;

/** The members of a subscription that flags name. */
export function readSubscriptionFlags(
  flags: FlagValues<typeof SUBSCRIPTION_FLAGS>,
): Partial<SubscriptionInput> {
  const { format, mode, type, changed, field, ordered, consent, header } = flags;
  return {
    ...(format !== undefined && { format }),
    ...(mode !== undefined && { mode }),
    ...(type !== undefined && { types: type }),
    ...(changed !== undefined && { changed }),
    ...(field !== undefined && { fields: field }),
    ...(ordered && { ordered }),
    ...(consent && { consent }),
    ...(header !== undefined && { headers: readPairs(header, '--header') }),
  };
}
