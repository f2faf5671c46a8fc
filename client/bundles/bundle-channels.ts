import type { Json } from '../store/content.ts';
import { guard, type WriteOptions } from '../transport/guard.ts';
import { type Page, pages } from '../transport/paged.ts';
import { segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';
import type { VersionReference } from './bundle.ts';

/** A name that stands for a version, and moves from one to the next. */
export interface BundleChannel {
  readonly channel: string;
  /** What everybody gets but for those whom a rollout has reached. */
  readonly version: number;
  /** What it stood for before. */
  readonly previous?: number;
  /** The newest rollout, whether it is under way or over. */
  readonly rollout?: Rollout;
  readonly gates?: ChannelGates;
  readonly revision: number;
  /** RFC 3339, as `updatedAt`. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** `failed` (consumers reported failure) and `aborted` are ends after which everybody has the old version. */
export type RolloutState = 'rolling' | 'paused' | 'done' | 'failed' | 'aborted';

export interface Rollout {
  readonly version: number;
  readonly state: RolloutState;
  readonly steps: readonly RolloutStep[];
  /** Index of the present step. */
  readonly step: number;
  /** Of the present step: how many consumers it reaches. */
  readonly percent?: number;
  /** RFC 3339. */
  readonly stepSince: string;
  readonly maxFailures: number;
  /** The consumers that reported failure. */
  readonly failures?: readonly string[];
  readonly reason?: string;
}

export interface RolloutStep {
  /** Of the consumers, 1 to 100. */
  readonly percent: number;
  /** Seconds until the next step; after the last one, until everybody has the new version. */
  readonly bake: number;
}

/** What has to hold of a version before a channel may stand for it. */
export interface ChannelGates {
  /** Paths that must be there. */
  readonly required?: readonly string[];
  /** JSON Schemas by the paths of the files (JSON or YAML) that must satisfy them. */
  readonly schemas?: Readonly<Record<string, Json>>;
  /** A URL that is asked, and has to agree. */
  readonly webhook?: string;
}

export interface ActivationOptions extends WriteOptions {
  /** Reaches the consumers step by step; at once, unless told. */
  readonly strategy?:
    | {
        readonly steps: readonly RolloutStep[];
        /** How many consumers may report failure before it is called off; 1 unless told. */
        readonly maxFailures?: number | undefined;
      }
    | undefined;
  /** Replace those of the channel; null takes them away. */
  readonly gates?: ChannelGates | null | undefined;
}

/** Channels of bundles: who gets which version. */
export class BundleChannels {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(bundle: string, { signal }: CallOptions = {}): AsyncGenerator<BundleChannel, void, undefined> {
    return pages((after) =>
      this.#transport.json<Page<BundleChannel>>({ path: channelsPath(bundle), query: { after }, signal }),
    );
  }

  /** @returns undefined where there is no such channel. */
  async get(
    bundle: string,
    channel: string,
    { signal }: CallOptions = {},
  ): Promise<BundleChannel | undefined> {
    const call = { path: channelPath(bundle, channel), signal };
    return await orUndefined(this.#transport.json<BundleChannel>(call));
  }

  /**
   * Makes a channel stand for a version, if its gates let it; a rollout that was under way is over.
   *
   * @throws SkerryProblem of status 422 where a gate fails, with `body.failures`: `[{gate, path?, reason}]`.
   */
  async activate(
    bundle: string,
    channel: string,
    version: VersionReference,
    { strategy, gates, ifRevision, signal }: ActivationOptions = {},
  ): Promise<BundleChannel> {
    return await this.#transport.json<BundleChannel>({
      method: 'PUT',
      path: channelPath(bundle, channel),
      headers: guard(ifRevision),
      body: { version, strategy, gates },
      attemptTimeout: GATES_TIME,
      signal,
    });
  }

  /** @returns whether it was there. */
  async delete(bundle: string, channel: string, { ifRevision, signal }: WriteOptions = {}): Promise<boolean> {
    const path = channelPath(bundle, channel);
    return await this.#transport.remove({ path, headers: guard(ifRevision), signal });
  }

  /**
   * Keeps the rollout that is under way at its present step.
   *
   * @throws SkerryProblem of status 409 where there is none that can be, as `resume` and `abort` do; SkerryUncertain where a repetition meets
   * that.
   */
  async pause(bundle: string, channel: string, options: CallOptions = {}): Promise<BundleChannel> {
    return await this.#turn('pause', bundle, channel, options);
  }

  async resume(bundle: string, channel: string, options: CallOptions = {}): Promise<BundleChannel> {
    return await this.#turn('resume', bundle, channel, options);
  }

  /** Calls the rollout off: everybody has the old version again. */
  async abort(bundle: string, channel: string, options: CallOptions = {}): Promise<BundleChannel> {
    return await this.#turn('abort', bundle, channel, options);
  }

  async #turn(
    verb: 'pause' | 'resume' | 'abort',
    bundle: string,
    channel: string,
    { signal }: CallOptions,
  ): Promise<BundleChannel> {
    const path = `${channelPath(bundle, channel)}/${verb}`;
    return await this.#transport.json<BundleChannel>({
      method: 'POST',
      path,
      isRepeatable: true,
      isRefusedWhenDone: true,
      signal,
    });
  }
}

/** Milliseconds: as long as the webhook of a gate may take, and Skerry to tell. */
const GATES_TIME = 60_000;

function channelsPath(bundle: string): string {
  return `bundles/${segment(bundle)}/channels`;
}

function channelPath(bundle: string, channel: string): string {
  return `${channelsPath(bundle)}/${segment(channel)}`;
}
