import { z } from 'zod';
import { describeApi, type Endpoint, json } from '../../shared/platform/http/index.ts';
import type { Services } from '../services.ts';
import { endpoint } from './endpoint.ts';

/** The endpoint that describes a set of endpoints, itself included. */
export function describingEndpoint(others: readonly Endpoint<Services>[]): Endpoint<Services> {
  let description: object | undefined;
  const describing: Endpoint<Services> = endpoint({
    name: 'getApiDescription',
    method: 'GET',
    route: 'api/v1/openapi.json',
    summary: 'This API as an OpenAPI 3.1 document',
    access: { verb: 'read', keys: '/' },
    responses: { 200: { description: 'The document.', body: z.record(z.string(), z.unknown()) } },
    handle() {
      description ??= describeApi([...others, describing]);
      return json(200, description);
    },
  });
  return describing;
}
