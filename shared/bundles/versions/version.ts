import { notFound, type SkerryError } from '../../platform/errors.ts';
import { canonicalPath } from '../../platform/http/index.ts';
import type { StoredRecord } from '../../records/index.ts';
import { type BundleValue, bundleKey, type VersionValue } from '../bundle.ts';

/** A published version. */
export interface Version extends VersionValue {
  /** Of its record. */
  readonly revision: number;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
}

/** What holds for all versions of a bundle. */
export interface Bundle extends BundleValue {
  readonly name: string;
  readonly revision: number;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

export function toVersion({ value, revision, createdAt }: StoredRecord<VersionValue>): Version {
  return { ...value, revision, createdAt };
}

export function toBundle({ key, value, revision, createdAt, updatedAt }: StoredRecord<BundleValue>): Bundle {
  return { name: key.slice(bundleKey('').length), ...value, revision, createdAt, updatedAt };
}

export function unknownBundle(ns: string, name: string): SkerryError {
  return notFound(`There is no bundle "${name}".`, {
    fix: `Publish its first version with PUT ${canonicalPath(ns, `bundles/${name}/versions`)}.`,
  });
}

export function unknownVersion(ns: string, name: string, reference: string): SkerryError {
  return notFound(`The bundle "${name}" has no version "${reference}".`, {
    fix: `GET ${canonicalPath(ns, `bundles/${name}/versions`)} lists those that it has; channels are at ${canonicalPath(ns, `bundles/${name}/channels`)}.`,
  });
}

export function unknownFile(ns: string, name: string, { version }: VersionValue, path: string): SkerryError {
  return notFound(`Version ${version} of the bundle "${name}" has no file "${path}".`, {
    field: 'path',
    fix: `GET ${canonicalPath(ns, `bundles/${name}/versions/${version}`)} lists its files.`,
  });
}
