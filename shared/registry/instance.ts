import { z } from 'zod';
import { jsonEquals } from '../platform/json-equals.ts';
import type { Json, Scope, StoredRecord } from '../records/index.ts';

export type JsonObject = { [name: string]: Json | undefined };

/** An instance of a service, as it is stored under `/srv/SERVICE/INSTANCE`. Defaults are left out. */
export interface Instance {
  /** URIs or `host:port`, by name. */
  readonly endpoints: Readonly<Record<string, string>>;
  /** Seconds within which the instance renews its lease; without it the instance stays until somebody removes it. */
  readonly ttl?: number;
  readonly tags?: readonly string[];
  readonly zone?: string;
  /** Share of the traffic; 0 takes none, and 1 is the default. */
  readonly weight?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly status?: 'draining';
  readonly master?: true;
  /** Fields that another surface stored and this model does not know (docs/compatibility.md). */
  readonly extra?: JsonObject;
}

export interface InstanceValue extends Instance {
  /** The mark of the sweep, RFC 3339: from then on the instance is expired until it registers again. */
  readonly expiredAt?: string;
  /** Stands beside the mark, RFC 3339: the last sign of life, which the marking change would else seem to be. */
  readonly renewedAt?: string;
}

export type InstanceRecord = StoredRecord<InstanceValue>;

/** Where an instance is registered. */
export interface InstanceAddress {
  readonly ns: string;
  readonly service: string;
  readonly id: string;
}

export const DEFAULT_WEIGHT = 1;

/** The kind of the scopes that hold instances. */
export const SERVICE_KIND = 'srv';
const HOST_AND_PORT = /^(\[[0-9A-Fa-f:.]+\]|[^\s/:@]+):\d{1,5}$/;

const label = z.string().min(1).max(64);
const endpoint = z
  .string()
  .max(2048)
  .refine((text) => HOST_AND_PORT.test(text) || URL.canParse(text), 'must be a URI or host:port');

/** What a caller may say of an instance (docs/api.md, "Fields"). */
export const instanceSchema = z.strictObject({
  endpoints: membersOf(z.record(label, endpoint), 1, 16).describe('URIs or `host:port`, by name.'),
  ttl: z
    .int()
    .min(1)
    .max(86_400)
    .optional()
    .describe('Seconds within which the instance sends a heartbeat; it never expires without.'),
  tags: z
    .array(label.regex(/^[^,]*$/, 'must not hold a comma'))
    .max(32)
    .optional(),
  zone: label.optional(),
  weight: z.int().min(0).max(32_767).optional().describe('Share of the traffic; 1 by default, 0 takes none.'),
  metadata: membersOf(z.record(label, z.string()), 0, 64).optional(),
  status: z.enum(['up', 'draining']).optional(),
  master: z.boolean().optional(),
  extra: z
    .record(
      z.string(),
      z.custom<Json>((value) => value !== undefined),
    )
    .optional()
    .describe('Fields of other surfaces; they stay as they are when it is left out.'),
});

export type InstanceInput = z.output<typeof instanceSchema>;

/** What is stored when `input` replaces `current`: without defaults, without the sweep's mark, with extra fields kept. */
export function nextInstance(input: InstanceInput, current: InstanceValue | undefined): Instance {
  const { endpoints, ttl, tags, zone, weight, metadata, status, master } = input;
  const extra = input.extra ?? current?.extra;
  return {
    endpoints,
    ...(ttl !== undefined && { ttl }),
    ...(tags !== undefined && tags.length > 0 && { tags }),
    ...(zone !== undefined && { zone }),
    ...(weight !== undefined && weight !== DEFAULT_WEIGHT && { weight }),
    ...(metadata !== undefined && Object.keys(metadata).length > 0 && { metadata }),
    ...(status === 'draining' && { status }),
    ...(master === true && { master }),
    ...(extra !== undefined && Object.keys(extra).length > 0 && { extra }),
  };
}

/** Whether two values say the same of an instance; the sweep's mark is part of what a value says. */
export function isSameInstance(one: InstanceValue, other: InstanceValue): boolean {
  return jsonEquals(one, other);
}

/** Whether the sweep has marked the instance as expired. */
export function isMarkedExpired({ value }: InstanceRecord): boolean {
  return value.expiredAt !== undefined;
}

export function serviceScope(ns: string, service: string): Scope {
  return { ns, kind: SERVICE_KIND, name: service };
}

export function instanceScope({ ns, service }: InstanceAddress): Scope {
  return serviceScope(ns, service);
}

export function instanceKey({ service, id }: InstanceAddress): string {
  return `/srv/${service}/${id}`;
}

/** The id in the key of an instance. */
export function instanceIdOf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

function membersOf<Schema extends z.ZodType<Readonly<Record<string, string>>>>(
  schema: Schema,
  least: number,
  most: number,
) {
  const message = least === 0 ? `must have at most ${most} members` : `must have ${least} to ${most} members`;
  return schema.refine((members) => {
    const count = Object.keys(members).length;
    return count >= least && count <= most;
  }, message);
}
