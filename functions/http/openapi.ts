import { z } from 'zod';
import { describeApi, type Endpoint, json } from '../../shared/platform/http/index.ts';
import type { Services } from '../services.ts';
import { endpoint } from './endpoint.ts';

/** The endpoints that describe a set of endpoints, themselves included. */
export function describingEndpoints(others: readonly Endpoint<Services>[]): readonly Endpoint<Services>[] {
  let description: object | undefined;
  const answer = () => {
    description ??= describeApi([...others, ...describing]);
    return json(200, description);
  };
  const responses = { 200: { description: 'The document.', body: z.record(z.string(), z.unknown()) } };
  const describing: readonly Endpoint<Services>[] = [
    endpoint({
      name: 'getApiDescription',
      method: 'GET',
      route: 'api/v1/openapi.json',
      summary: 'This API as an OpenAPI 3.1 document',
      access: 'known',
      responses,
      handle: answer,
    }),
    endpoint({
      name: 'controllerDocument',
      method: 'GET',
      route: 'api/v1/doc',
      summary: 'The same where clients of the controller look for it',
      access: { verb: 'read', keys: '/', legacy: true },
      surface: 'legacy',
      responses,
      handle: answer,
    }),
  ];
  return describing;
}
