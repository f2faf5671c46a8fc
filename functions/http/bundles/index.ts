import type { Endpoint } from '../../../shared/platform/http/index.ts';
import type { Services } from '../../services.ts';
import { channelEndpoints } from './channels.ts';
import { consumerEndpoints } from './consumers.ts';

/** Bundles, their versions, and all that is at their addresses. */
export const bundleEndpoints: readonly Endpoint<Services>[] = [...channelEndpoints, ...consumerEndpoints];
