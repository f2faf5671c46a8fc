import type { Clock } from '../../platform/clock.ts';
import { notFound, type SkerryError, unavailable, unprocessable } from '../../platform/errors.ts';
import {
  type Author,
  canonicalPath,
  checkPrecondition,
  type Precondition,
} from '../../platform/http/index.ts';
import { jsonEquals } from '../../platform/json-equals.ts';
import {
  type Decision,
  isUnder,
  type RaisedAlarm,
  type Records,
  type StoredRecord,
} from '../../records/index.ts';
import { bundleScope, channelKey, channelsPrefix, type VersionValue, versionKey } from '../bundle.ts';
import { BUNDLE_LIMITS } from '../limits.ts';
import { unknownVersion, type Version } from '../versions/version.ts';
import { type Channel, type ChannelValue, type Gates, isUnderWay, toChannel } from './channel.ts';
import type { CandidateVersions, Gatekeeper, GatesInput } from './gatekeeper.ts';
import {
  abort,
  activate,
  checkStrategy,
  dueAt,
  pause,
  type RolloutStrategy,
  resume,
  startRollout,
} from './rollout.ts';
import type { RolloutAlarms } from './rollout-alarms.ts';

export interface ChannelAddress {
  readonly ns: string;
  readonly name: string;
  readonly channel: string;
}

export interface ChannelInput {
  /** A number, `latest`, a channel or a label. */
  readonly version: string;
  /** Hands the version out step by step; without it everybody gets it at once. */
  readonly strategy?: RolloutStrategy | undefined;
  /** Replaces the gates, with `null` removes them; without it they stay. */
  readonly gates?: GatesInput | null | undefined;
}

export interface ChannelWrite {
  readonly author: Author;
  readonly precondition?: Precondition | undefined;
}

export interface ChannelPut extends ChannelWrite {
  /** Base of links that a gate's webhook is sent. */
  readonly ownUrl: string;
}

export interface ChannelsOptions {
  readonly records: Records;
  readonly clock: Clock;
  readonly alarms: RolloutAlarms;
  readonly gatekeeper: Gatekeeper;
  readonly versions: CandidateVersions;
}

export type RolloutMove = 'pause' | 'resume' | 'abort';

/** How often a write may find that it needs something else than it did before. */
const MAX_ATTEMPTS = 10;

/** What a decision relies on and cannot wait for: it says so, and is made again with it. */
interface Met {
  /** The gates that the version was held against. */
  readonly gates?: Gates;
  readonly alarm?: RaisedAlarm;
}

class NeedsGates extends Error {
  readonly gates: Gates;

  constructor(gates: Gates) {
    super('The version has not been held against the gates of the channel.');
    this.gates = gates;
  }
}

class NeedsAlarm extends Error {}

/**
 * The channels of bundles. Activating a version, or a step of a rollout, is one write of the channel's record, decided together with the
 * record of the version: so cleanup, which looks at all channels where it takes a version away, and this can never miss each other.
 * All methods throw SkerryError `unavailable`.
 */
export class Channels {
  readonly #options: ChannelsOptions;

  constructor(options: ChannelsOptions) {
    this.#options = options;
  }

  /** @throws SkerryError `not-found`. */
  async get(address: ChannelAddress): Promise<Channel> {
    const { ns, name, channel } = address;
    const record = await this.#options.records.get<ChannelValue>(
      bundleScope(ns, name),
      channelKey(name, channel),
    );
    if (record === undefined) {
      throw unknownChannel(address);
    }
    return toChannel(record);
  }

  /** All channels of a bundle by name, at a revision of the bundle. */
  async list(ns: string, name: string): Promise<{ items: readonly Channel[]; revision: number }> {
    const scope = bundleScope(ns, name);
    const prefix = channelsPrefix(name);
    const { records, revision } = await this.#options.records.list<ChannelValue>(scope, { prefix });
    return { items: records.map(toChannel), revision };
  }

  /**
   * Lets a channel stand for a version, at once or step by step, once that passes the gates. What stands already changes nothing.
   *
   * @throws SkerryError `not-found` for the version, `precondition-failed`, `unprocessable` where there is a fault in the gates or
   *   the strategy, or there are too many channels, or, with `failures`, the version does not pass the gates; `invalid` for the gates' webhook.
   */
  async put(
    address: ChannelAddress,
    input: ChannelInput,
    { author, precondition, ownUrl }: ChannelPut,
  ): Promise<{ channel: Channel; created: boolean }> {
    const { ns, name, channel } = address;
    const { strategy } = input;
    if (strategy !== undefined) {
      checkStrategy(strategy);
    }
    const gates = input.gates ? await this.#options.gatekeeper.prepare(input.gates) : input.gates;
    const version = await this.#options.versions.find(ns, name, input.version);
    const key = channelKey(name, channel);
    const target = versionKey(name, version.version);
    const commits = await this.#meeting(address, { version, ownUrl }, async (met) => {
      const { commits } = await this.#options.records.transact<ChannelValue | VersionValue>(
        bundleScope(ns, name),
        {
          keys: [key, target],
          range: { prefix: channelsPrefix(name), limit: BUNDLE_LIMITS.channels + 1 },
          ...author,
          decide: (records) => {
            const current = records.get(key) as StoredRecord<ChannelValue> | undefined;
            checkPrecondition(precondition, current);
            const record = records.get(target) as StoredRecord<VersionValue> | undefined;
            if (record === undefined || record.value.removedAt !== undefined) {
              throw unknownVersion(ns, name, input.version);
            }
            if (current === undefined) {
              checkRoom([...records.keys()].filter((one) => isUnder(channelsPrefix(name), one)).length);
            }
            const now = this.#options.clock.now();
            const next = valueAfter(current?.value, { version: version.version, strategy, gates, now });
            checkHeldAgainst(gatesToPass(current?.value, next, version.version), met);
            return { writes: [{ key, decision: decide(current?.value, next, met) }] };
          },
        },
      );
      return commits;
    });
    const commit = commits.get(key);
    return {
      channel: toChannel(standing(commit?.record as StoredRecord<ChannelValue> | undefined, key)),
      created: commit?.previous === undefined,
    };
  }

  /** @throws SkerryError `not-found`; `conflict` where there is no rollout in such a state. */
  async move(address: ChannelAddress, move: RolloutMove, author: Author): Promise<Channel> {
    const { ns, name, channel } = address;
    const key = channelKey(name, channel);
    const commit = await this.#meeting(address, undefined, async (met) => {
      return await this.#options.records.commit<ChannelValue>(bundleScope(ns, name), {
        key,
        ...author,
        decide: (current) => {
          if (current === undefined) {
            throw unknownChannel(address);
          }
          const facts = { now: this.#options.clock.now(), actor: author.actor };
          return decide(current.value, moved(current.value, move, facts), met);
        },
      });
    });
    return toChannel(standing(commit.record, key));
  }

  /**
   * Removes a channel; that ends its rollout.
   *
   * @returns the revision of its removal.
   * @throws SkerryError `not-found`, `precondition-failed`.
   */
  async delete(address: ChannelAddress, { author, precondition }: ChannelWrite): Promise<number> {
    const { ns, name, channel } = address;
    const { revision } = await this.#options.records.commit<ChannelValue>(bundleScope(ns, name), {
      key: channelKey(name, channel),
      ...author,
      decide: (current) => {
        if (current === undefined) {
          throw unknownChannel(address);
        }
        checkPrecondition(precondition, current);
        return { type: 'delete' };
      },
    });
    return revision;
  }

  /** Runs a write that says what it needs, until it has it. */
  async #meeting<Answer>(
    address: ChannelAddress,
    candidate: { readonly version: Version; readonly ownUrl: string } | undefined,
    write: (met: Met) => Promise<Answer>,
  ): Promise<Answer> {
    const { ns, name, channel } = address;
    let met: Met = {};
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      try {
        return await write(met);
      } catch (error) {
        if (error instanceof NeedsAlarm) {
          const alarm = await this.#options.alarms.raise(bundleScope(ns, name), channelKey(name, channel));
          met = { ...met, alarm };
        } else if (error instanceof NeedsGates && candidate !== undefined) {
          await this.#options.gatekeeper.admit(error.gates, { ...address, ...candidate });
          met = { ...met, gates: error.gates };
        } else {
          throw error;
        }
      }
    }
    throw unavailable(`The channel "${channel}" is written too often at the moment.`);
  }
}

/** The error for a channel that does not exist. */
export function unknownChannel({ ns, name, channel }: ChannelAddress): SkerryError {
  return notFound(`The bundle "${name}" has no channel "${channel}".`, {
    fix: `Create it with PUT ${canonicalPath(ns, `bundles/${name}/channels/${channel}`)}.`,
  });
}

interface Target {
  readonly version: number;
  readonly strategy: RolloutStrategy | undefined;
  readonly gates: Gates | null | undefined;
  readonly now: number;
}

/** A channel that stands for nothing yet has nothing to roll from. */
function valueAfter(
  current: ChannelValue | undefined,
  { version, strategy, gates, now }: Target,
): ChannelValue {
  const channel = current ?? { version };
  const moved =
    strategy === undefined ? activate(channel, version) : startRollout(channel, version, strategy, now);
  if (gates === undefined) {
    return moved;
  }
  const { gates: _, ...rest } = moved;
  return gates === null ? rest : { ...rest, gates };
}

function moved(
  channel: ChannelValue,
  move: RolloutMove,
  { now, actor }: { readonly now: number; readonly actor: string },
): ChannelValue {
  switch (move) {
    case 'pause':
      return pause(channel, now);
    case 'resume':
      return resume(channel, now);
    case 'abort':
      return abort(channel, `Aborted by ${actor}.`);
  }
}

/**
 * The gates that a version has still to pass. Where the channel stands for it already, in whole or in part, it has passed them; where the
 * channel stood for it before, a webhook is not asked: that it is out of order must not be in the way of going back.
 */
function gatesToPass(
  current: ChannelValue | undefined,
  { gates = {} }: ChannelValue,
  version: number,
): Gates {
  if (current === undefined || !jsonEquals(gates, current.gates)) {
    return gates;
  }
  const { rollout } = current;
  if (version === current.version || (isUnderWay(rollout) && rollout.version === version)) {
    return {};
  }
  const { webhook: _, ...others } = gates;
  return version === current.previous ? others : gates;
}

function checkHeldAgainst(gates: Gates, met: Met): void {
  if (Object.keys(gates).length > 0 && !jsonEquals(gates, met.gates)) {
    throw new NeedsGates(gates);
  }
}

/** A rollout that begins to bake needs an alarm, before it is written. */
function decide(
  current: ChannelValue | undefined,
  next: ChannelValue,
  { alarm }: Met,
): Decision<ChannelValue> {
  if (jsonEquals(current, next)) {
    return { type: 'keep' };
  }
  const bakes = dueAt(next.rollout) !== undefined && !jsonEquals(current?.rollout, next.rollout);
  if (bakes && alarm?.isRecent() !== true) {
    throw new NeedsAlarm();
  }
  return { type: 'put', value: next };
}

function checkRoom(channels: number): void {
  if (channels >= BUNDLE_LIMITS.channels) {
    throw unprocessable(`The bundle has ${channels} channels; ${BUNDLE_LIMITS.channels} are the most.`, {
      fix: 'Delete one that nobody follows.',
    });
  }
}

function standing(record: StoredRecord<ChannelValue> | undefined, key: string): StoredRecord<ChannelValue> {
  if (record === undefined) {
    throw new Error(`The record ${key} is gone after it was put.`);
  }
  return record;
}
