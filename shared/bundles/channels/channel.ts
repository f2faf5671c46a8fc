import { createHash } from 'node:crypto';
import type { JsonSchema } from '../../config/index.ts';
import type { StoredRecord } from '../../records/index.ts';

/** The record `/bundle/NAME/channels/CHANNEL`: a name that stands for a version, and how it moves from one to the next. */
export interface ChannelValue {
  /** What everybody gets, but for those whom a rollout has reached. */
  readonly version: number;
  /** What it stood for before. */
  readonly previous?: number;
  /** The newest rollout, whether it is under way or over. */
  readonly rollout?: Rollout;
  readonly gates?: Gates;
}

/** What has to hold of a version before a channel may stand for it. */
export interface Gates {
  /** Paths that must be there. */
  readonly required?: readonly string[];
  /** JSON Schemas that files (JSON or YAML) must satisfy, by their paths; a file that is absent satisfies them. */
  readonly schemas?: Readonly<Record<string, JsonSchema>>;
  /** A URL that is asked, and has to agree. */
  readonly webhook?: string;
}

/** `done`, `failed` (consumers reported failure) and `aborted` are ends; after the latter two everybody has the old version. */
export type RolloutState = 'rolling' | 'paused' | 'done' | 'failed' | 'aborted';

export interface RolloutStep {
  /** Of the consumers, 1 to 100. */
  readonly percent: number;
  /** Seconds until the next step; after the last one, until everybody has the new version. */
  readonly bake: number;
}

export interface Rollout {
  /** The new version. */
  readonly version: number;
  readonly state: RolloutState;
  readonly steps: readonly RolloutStep[];
  /** Index of the present step. */
  readonly step: number;
  /** RFC 3339: since when the present step bakes; time in which it was paused does not count. */
  readonly stepSince: string;
  /** Of a paused one: seconds that the present step has baked before. */
  readonly baked?: number;
  /** With so many consumers that report failure it is called off. */
  readonly maxFailures: number;
  /** Who did. */
  readonly failures: readonly string[];
  /** Why it failed or was aborted. */
  readonly reason?: string;
}

/** A channel as everybody sees it. */
export interface Channel extends Omit<ChannelValue, 'rollout'> {
  readonly channel: string;
  /** With the part of the consumers that gets its version at present. */
  readonly rollout?: Rollout & { readonly percent: number };
  readonly revision: number;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

export function toChannel({
  key,
  value,
  revision,
  createdAt,
  updatedAt,
}: StoredRecord<ChannelValue>): Channel {
  const { rollout, ...rest } = value;
  return {
    channel: key.slice(key.lastIndexOf('/') + 1),
    ...rest,
    ...(rollout !== undefined && { rollout: { ...rollout, percent: percentOf(value, rollout) } }),
    revision,
    createdAt,
    updatedAt,
  };
}

/** Whether consumers get the one version or the other. */
export function isUnderWay(
  rollout: Rollout | undefined,
): rollout is Rollout & { readonly state: 'rolling' | 'paused' } {
  return rollout?.state === 'rolling' || rollout?.state === 'paused';
}

/** Of all consumers, those who get the version of the channel's rollout at present, 0 to 100. */
export function percentOf({ version }: ChannelValue, rollout: Rollout): number {
  if (isUnderWay(rollout)) return rollout.steps[rollout.step]?.percent ?? 0;
  return version === rollout.version ? 100 : 0;
}

/** The version that a channel stands for, for a consumer, if one is named. */
export function versionOfChannel(channel: ChannelValue, consumer: string | undefined): number {
  const { version, rollout } = channel;
  return isUnderWay(rollout) &&
    consumer !== undefined &&
    isAmong(percentOf(channel, rollout), rollout.version, consumer)
    ? rollout.version
    : version;
}

/**
 * Whether a consumer is among the first so many percent of a rollout: by a hash, so that everybody who is stays so in later steps, and that
 * each version has others go first.
 */
function isAmong(percent: number, version: number, consumer: string): boolean {
  const hash = createHash('sha256').update(`${version}:${consumer}`).digest().readUInt32BE(0);
  return hash / 2 ** 32 < percent / 100;
}
