import { notFound, type SkerryError } from '../../platform/errors.ts';
import { type Author, canonicalPath } from '../../platform/http/index.ts';
import { jsonEquals } from '../../platform/json-equals.ts';
import { isUnder, type PageRequest, type Records, type StoredRecord } from '../../records/index.ts';
import { bundleScope, channelKey, channelsPrefix, consumerKey, consumersPrefix } from '../bundle.ts';
import { BUNDLE_LIMITS } from '../limits.ts';
import type { ChannelValue } from './channel.ts';
import type { CandidateVersions } from './gatekeeper.ts';
import { countFailure, takeFailureBack } from './rollout.ts';

/** The record `/bundle/NAME/consumers/CONSUMER`: which version one who follows the bundle runs. */
export interface ConsumerValue {
  /** The newest that it reported to work. */
  readonly version?: number;
  /** The newest that it reported not to work, unless one as new did later. */
  readonly failed?: { readonly version: number; readonly detail?: string };
  /** The channel that it follows. */
  readonly channel?: string;
}

export interface Consumer extends ConsumerValue {
  readonly consumer: string;
  /** RFC 3339: when it said something new last. */
  readonly at: string;
  readonly revision: number;
}

/** What a consumer says of a version. */
export interface Acknowledgement {
  readonly consumer: string;
  readonly version: number;
  readonly ok: boolean;
  /** Why it does not work. */
  readonly detail?: string | undefined;
  /** The one whose rollout it is about; without it, every rollout of the version. */
  readonly channel?: string | undefined;
}

export interface ConsumerListing {
  readonly items: readonly Consumer[];
  /** Of the bundle. */
  readonly revision: number;
  readonly next?: string;
}

/** Channels that one transaction may write: with the gates that they may have, each takes up to a sixth of a batch. */
const CHANNELS_AT_ONCE = 5;

type Value = ConsumerValue | ChannelValue;

/** Who runs which version of a bundle. All methods throw SkerryError `unavailable`. */
export class Consumers {
  readonly #records: Records;
  readonly #versions: Pick<CandidateVersions, 'find'>;

  constructor(options: { readonly records: Records; readonly versions: Pick<CandidateVersions, 'find'> }) {
    this.#records = options.records;
    this.#versions = options.versions;
  }

  /**
   * Takes down what a consumer says. A failure counts, once for each consumer, for every rollout of the version that is under way, or
   * for that of the channel that is named, and may call it off in the same transaction; a later success takes it back where the rollout has not failed. What was said before changes nothing.
   *
   * @throws SkerryError `not-found` for a version that is not there.
   */
  async acknowledge(ns: string, name: string, said: Acknowledgement, author: Author): Promise<Consumer> {
    await this.#versions.find(ns, name, String(said.version));
    const key = consumerKey(name, said.consumer);
    const concerned = said.channel === undefined ? channelsPrefix(name) : channelKey(name, said.channel);
    for (;;) {
      const { commits, decided } = await this.#records.transact(bundleScope(ns, name), {
        keys: [key],
        range: { prefix: channelsPrefix(name), limit: BUNDLE_LIMITS.channels },
        ...author,
        decide: (current: ReadonlyMap<string, StoredRecord<Value>>) => {
          const known: ConsumerValue = current.get(key)?.value ?? {};
          const consumer = consumerAfter(known, said);
          const channels = [...current]
            .filter(([one]) => isUnder(concerned, one))
            .flatMap(([one, { value }]) => channelAfter(one, value as ChannelValue, said));
          const own = jsonEquals(consumer, known) ? [] : [put(key, consumer)];
          return {
            writes: [...own, ...channels.slice(0, CHANNELS_AT_ONCE)],
            isAll: channels.length <= CHANNELS_AT_ONCE,
          };
        },
      });
      const record = commits.get(key)?.record as StoredRecord<ConsumerValue> | undefined;
      if (record === undefined) {
        throw new Error(`The record ${key} is gone after it was put.`);
      }
      if (decided.isAll) {
        return toConsumer(record);
      }
    }
  }

  /** A page of the consumers by name. */
  async list(ns: string, name: string, request: PageRequest): Promise<ConsumerListing> {
    const { records, revision, next } = await this.#records.list<ConsumerValue>(bundleScope(ns, name), {
      ...request,
      prefix: consumersPrefix(name),
    });
    return { items: records.map(toConsumer), revision, ...(next !== undefined && { next }) };
  }

  /**
   * Forgets a consumer that is no more. Failures that it reported stay counted.
   *
   * @returns the revision of the removal.
   * @throws SkerryError `not-found`.
   */
  async delete(ns: string, name: string, consumer: string, author: Author): Promise<number> {
    const { revision } = await this.#records.commit<ConsumerValue>(bundleScope(ns, name), {
      key: consumerKey(name, consumer),
      ...author,
      decide: (current) => {
        if (current === undefined) {
          throw unknownConsumer(ns, name, consumer);
        }
        return { type: 'delete' };
      },
    });
    return revision;
  }
}

/** The error for a consumer that a bundle does not know. */
export function unknownConsumer(ns: string, name: string, consumer: string): SkerryError {
  return notFound(`The bundle "${name}" knows of no consumer "${consumer}".`, {
    fix: `GET ${canonicalPath(ns, `bundles/${name}/consumers`)} lists those that it knows.`,
  });
}

/** @returns what is to be written of the channel, if anything. */
function channelAfter(key: string, value: ChannelValue, { version, ok, consumer, detail }: Acknowledgement) {
  const next = ok
    ? takeFailureBack(value, version, consumer)
    : countFailure(value, version, { consumer, detail });
  return next === value ? [] : [put(key, next)];
}

function put(key: string, value: Value) {
  return { key, decision: { type: 'put', value } } as const;
}

function consumerAfter(
  known: ConsumerValue,
  { version, ok, detail, channel = known.channel }: Acknowledgement,
): ConsumerValue {
  const running = ok ? version : known.version;
  const failed = ok
    ? known.failed !== undefined && known.failed.version > version
      ? known.failed
      : undefined
    : { version, ...(detail !== undefined && { detail }) };
  return {
    ...(running !== undefined && { version: running }),
    ...(failed !== undefined && { failed }),
    ...(channel !== undefined && { channel }),
  };
}

function toConsumer({ key, value, revision, updatedAt }: StoredRecord<ConsumerValue>): Consumer {
  return { consumer: key.slice(key.lastIndexOf('/') + 1), ...value, at: updatedAt, revision };
}
