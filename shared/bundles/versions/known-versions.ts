import type { Clock } from '../../platform/clock.ts';
import { RecentMap } from '../../platform/recent-map.ts';
import { type Records, type StoredRecord, scopeId } from '../../records/index.ts';
import { bundleScope, type VersionValue, versionKey } from '../bundle.ts';
import { toVersion, type Version } from './version.ts';

const MAX_VERSIONS = 5_000;

/**
 * A version never changes, but for cleanup, which takes it away: its content stays readable for an hour after that. So who
 * saw it within this time need not ask again.
 */
const MEMORY_MILLISECONDS = 10 * 60_000;

interface Known {
  readonly version: Version;
  readonly at: number;
}

/** The versions that this process saw lately. */
export class KnownVersions {
  readonly #records: Records;
  readonly #clock: Clock;
  readonly #known = new RecentMap<string, Known>(MAX_VERSIONS);

  constructor(records: Records, clock: Clock) {
    this.#records = records;
    this.#clock = clock;
  }

  /** A version, whether cleanup took it away or not, by a point read at the most; undefined where there is none. */
  async get(ns: string, name: string, version: number): Promise<Version | undefined> {
    const scope = bundleScope(ns, name);
    const at = this.#clock.now();
    const known = this.#known.get(placeOf(ns, name, version));
    if (known !== undefined && at - known.at < MEMORY_MILLISECONDS) {
      return known.version;
    }
    const record = await this.#records.get<VersionValue>(scope, versionKey(name, version));
    return record && this.#remember(ns, name, record, at);
  }

  /** What was just read, or written. */
  remember(ns: string, name: string, record: StoredRecord<VersionValue>): Version {
    return this.#remember(ns, name, record, this.#clock.now());
  }

  #remember(ns: string, name: string, record: StoredRecord<VersionValue>, at: number): Version {
    const version = toVersion(record);
    this.#known.set(placeOf(ns, name, version.version), { version, at });
    return version;
  }
}

function placeOf(ns: string, name: string, version: number): string {
  return `${scopeId(bundleScope(ns, name))}/${version}`;
}
