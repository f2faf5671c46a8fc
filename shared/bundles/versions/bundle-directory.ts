import { type Author, checkPrecondition, type Precondition } from '../../platform/http/index.ts';
import { jsonEquals } from '../../platform/json-equals.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';
import type { Records } from '../../records/index.ts';
import { BUNDLE_KIND, type BundleValue, bundleKey, bundleScope, type RetentionRule } from '../bundle.ts';
import { type Bundle, toBundle } from './version.ts';

/** Bundles that are read at a time. */
const AT_ONCE = 16;

export interface BundleSettings {
  readonly description?: string | undefined;
  readonly retention?: RetentionRule | undefined;
}

/** The bundles of a namespace, and what is set for each as a whole. */
export class BundleDirectory {
  readonly #records: Records;

  constructor(records: Records) {
    this.#records = records;
  }

  /** A page of the bundles of a namespace by name; each is current for itself, all of them together at no one time. */
  async list(
    ns: string,
    { after = '', limit }: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<{ readonly bundles: readonly Bundle[]; readonly next?: string }> {
    const { scopes } = await this.#records.scopes(ns, BUNDLE_KIND);
    const names = scopes
      .map(({ name }) => name)
      .filter((name) => name > after)
      .sort();
    const page = names.slice(0, limit);
    const bundles = await mapConcurrently(page, AT_ONCE, (name) => this.get(ns, name));
    return {
      bundles: bundles.filter((bundle) => bundle !== undefined),
      ...(names.length > page.length && { next: page.at(-1) ?? '' }),
    };
  }

  async get(ns: string, name: string): Promise<Bundle | undefined> {
    const record = await this.#records.get<BundleValue>(bundleScope(ns, name), bundleKey(name));
    return record && toBundle(record);
  }

  /**
   * Replaces what is set for a bundle, and makes the bundle where there is none.
   *
   * @throws SkerryError `precondition-failed`.
   */
  async configure(
    ns: string,
    name: string,
    { description, retention }: BundleSettings,
    { author, precondition }: { readonly author: Author; readonly precondition?: Precondition | undefined },
  ): Promise<{ readonly bundle: Bundle; readonly created: boolean }> {
    const { record, previous } = await this.#records.commit<BundleValue>(bundleScope(ns, name), {
      key: bundleKey(name),
      ...author,
      decide: (current) => {
        checkPrecondition(precondition, current);
        const value: BundleValue = {
          latest: current?.value.latest ?? 0,
          ...(description !== undefined && { description }),
          ...(retention !== undefined && { retention }),
        };
        return jsonEquals(value, current?.value) ? { type: 'keep' } : { type: 'put', value };
      },
    });
    if (record === undefined) {
      throw new Error(`The record of bundle ${name} is gone after it was put.`);
    }
    return { bundle: toBundle(record), created: previous === undefined };
  }
}
