/**
 * Bundles: immutable, numbered versions of sets of files, which are read as one. `content/` is what a version is made of (paths,
 * manifests, deterministic zips, uploaded archives) and knows no storage; `storage/` keeps archives and drafts in Blob Storage; `versions/`
 * publishes and reads versions, `drafts/` is how they come about file by file, `channels/` who gets which, `diff/` compares, and
 * `retention/` takes away what nobody uses. Records hold everything but the content: they are written last, and decide what there is.
 */
export { ActivateBundle } from './activate-bundle.ts';
export * from './bundle.ts';
export { BundleSweeper } from './bundle-sweeper.ts';
export type { Channel, ChannelValue } from './channels/channel.ts';
export { Channels, type RolloutMove, unknownChannel } from './channels/channels.ts';
export { Consumers, unknownConsumer } from './channels/consumers.ts';
export { Gatekeeper } from './channels/gatekeeper.ts';
export { RolloutAlarms } from './channels/rollout-alarms.ts';
export { rolloutStepSchema, strategySchema } from './channels/strategy-schema.ts';
export { contentTypeOf } from './content/content-type.ts';
export { bundleFileOf } from './content/manifest.ts';
export { readUpload } from './content/read-upload.ts';
export { compareVersions } from './diff/compare-versions.ts';
export { unknownDraft } from './drafts/draft-id.ts';
export { Drafts } from './drafts/drafts.ts';
export { BUNDLE_LIMITS } from './limits.ts';
export { BundleCleanup, type CleanupSummary } from './retention/bundle-cleanup.ts';
export { ArchiveStore } from './storage/archive-store.ts';
export { DraftStore } from './storage/draft-store.ts';
export { BundleDirectory } from './versions/bundle-directory.ts';
export type { Publication } from './versions/publisher.ts';
export {
  referenceInBodySchema,
  referenceNameSchema,
  referenceSchema,
  versionNumberOf,
} from './versions/reference.ts';
export { unknownBundle, type Version } from './versions/version.ts';
export { versionNotesShape } from './versions/version-notes.ts';
export { VersionUses } from './versions/version-uses.ts';
export { MAX_TAR_GZ_BYTES, Versions } from './versions/versions.ts';
