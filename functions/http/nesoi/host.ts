import { z } from 'zod';
import { type InstanceInput, type InstanceView, instanceSchema } from '../../../shared/registry/index.ts';
import { jsonValueSchema } from '../json-value.ts';
import { toNesoiTime } from './nesoi-form.ts';

const { endpoints, ttl, tags, zone, weight, metadata, status } = instanceSchema.shape;

/** What a client says of a host. Only these fields have rules; Nesoi keeps all others as they come. */
export const hostInputSchema = z
  .object({
    name: z.string(),
    endpoints: z.union([endpoints, z.strictObject({})]),
    ttl: ttl.describe('Seconds after which a host that is not put again expires; it never does without.'),
    updated_at: jsonValueSchema.optional().describe('Ignored: the registry sets it.'),
  })
  .catchall(jsonValueSchema);

export const hostSchema = z
  .object({
    name: z.string(),
    endpoints: z.record(z.string(), z.string()),
    updated_at: z.string().describe('`YYYY-MM-DD HH:MM:SS.ffffff`, UTC: the last sign of life.'),
  })
  .catchall(jsonValueSchema);

/**
 * Fields that mean the same on the canonical API, where their values do too. A default is none of them: it would be
 * left out there, and Nesoi gives back whatever it was given.
 */
const sharedFieldsSchema = z.object({
  tags: tags.refine((value) => value?.length !== 0).catch(undefined),
  zone: zone.catch(undefined),
  weight: weight.refine((value) => value !== 1).catch(undefined),
  metadata: metadata.refine((value) => value === undefined || Object.keys(value).length > 0).catch(undefined),
  status: status.refine((value) => value !== 'up').catch(undefined),
  master: z.literal(true).optional().catch(undefined),
});

/** The instance that a host is. What the canonical model does not know goes to `extra`. */
export function toInstance(host: z.output<typeof hostInputSchema>): InstanceInput {
  const { name: _, updated_at: __, endpoints, ttl, ...others } = host;
  const shared = sharedFieldsSchema.parse(others);
  const known = new Map(Object.entries(shared));
  const extra = Object.entries(others).filter(([field]) => known.get(field) === undefined);
  return { endpoints, ttl, ...shared, extra: Object.fromEntries(extra) };
}

/** The host that an instance is, whoever registered it; an expired one is listed until it is removed. */
export function toHost({ id, instance, renewedAt }: InstanceView): Record<string, unknown> {
  const { extra, ...known } = instance;
  return { ...extra, ...known, name: id, updated_at: toNesoiTime(renewedAt) };
}
