import type { Scope } from '../records/index.ts';

/** The kind of a bundle's scope: its versions, channels and consumers share one log, so that they move together. */
export const BUNDLE_KIND = 'bundle';

/** The record `/bundle/NAME`: what holds for all versions, and which is the newest. */
export interface BundleValue {
  /** The newest version; 0 before the first. Its number is never given again. */
  readonly latest: number;
  readonly description?: string;
  /** What cleanup keeps; the settings' own where it is absent. */
  readonly retention?: RetentionRule;
}

/** A version is removed only when it is neither among the newest `versions` nor younger than `days`. */
export interface RetentionRule {
  readonly versions: number;
  readonly days: number;
}

/** The record `/bundle/NAME/versions/NUMBER`: written last, so that a version is there as a whole or not at all. */
export interface VersionValue {
  readonly version: number;
  /** `sha256:` and the hexadecimal SHA-256 over the sorted manifest (content/manifest.ts). */
  readonly digest: string;
  /** The archive that holds the content; several versions of the same content may share one. */
  readonly blob: string;
  readonly files: number;
  /** Bytes of all files, unpacked. */
  readonly size: number;
  /** Bytes of the zip. */
  readonly archiveSize: number;
  readonly author: string;
  readonly message: string;
  readonly labels: readonly string[];
  /** The draft that became this version, by which a repeated commit knows its own. */
  readonly draft?: string;
  /** The version whose content was published again. */
  readonly rollbackOf?: number;
  /** RFC 3339: when cleanup took the version away; readers find it no more, its blobs go a while later. */
  readonly removedAt?: string;
}

export function bundleScope(ns: string, name: string): Scope {
  return { ns, kind: BUNDLE_KIND, name };
}

export function bundleKey(name: string): string {
  return `/${BUNDLE_KIND}/${name}`;
}

/** Its lane: which operation works on it. */
export function bundleLaneKey(name: string): string {
  return `${bundleKey(name)}/work`;
}

/** Below it are all versions. */
export function versionsPrefix(name: string): string {
  return `${bundleKey(name)}/versions/`;
}

/** Digits of a version's number in its key, so that keys sort as numbers do. */
const VERSION_DIGITS = 9;
export const MAX_VERSION = 10 ** VERSION_DIGITS - 1;

export function versionKey(name: string, version: number): string {
  return versionsPrefix(name) + String(version).padStart(VERSION_DIGITS, '0');
}

export function channelsPrefix(name: string): string {
  return `${bundleKey(name)}/channels/`;
}

export function channelKey(name: string, channel: string): string {
  return channelsPrefix(name) + channel;
}

export function consumersPrefix(name: string): string {
  return `${bundleKey(name)}/consumers/`;
}

export function consumerKey(name: string, consumer: string): string {
  return consumersPrefix(name) + consumer;
}
