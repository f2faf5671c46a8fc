import type { Endpoint } from '../../../shared/platform/http/index.ts';
import type { Services } from '../../services.ts';
import { bundleSettingsEndpoints } from './bundles.ts';
import { channelEndpoints } from './channels.ts';
import { consumerEndpoints } from './consumers.ts';
import { diffEndpoints } from './diff.ts';
import { draftEndpoints } from './drafts.ts';
import { fileEndpoints } from './files.ts';
import { versionEndpoints } from './versions.ts';

/** Bundles, their versions, and all that is at their addresses. */
export const bundleEndpoints: readonly Endpoint<Services>[] = [
  ...bundleSettingsEndpoints,
  ...versionEndpoints,
  ...fileEndpoints,
  ...diffEndpoints,
  ...draftEndpoints,
  ...channelEndpoints,
  ...consumerEndpoints,
];
