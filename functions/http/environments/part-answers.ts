import type {
  EnvironmentParts,
  PartValue,
  WriteOptions,
  WrittenPart,
} from '../../../shared/environments/index.ts';
import {
  answerRead,
  canonicalLocation,
  type EndpointRequest,
  type HttpResponse,
  json,
  noContent,
  readPrecondition,
} from '../../../shared/platform/http/index.ts';
import { factsOf } from './environment-shape.ts';

/** A request about one resource or group of an environment. */
type PartRequest = EndpointRequest<{ readonly environment: string; readonly id: string }, object, unknown>;

/** 200 or 304. @throws SkerryError `not-found`. */
export async function answerPart<Value extends PartValue>(
  { ns, params, headers }: PartRequest,
  parts: EnvironmentParts<Value>,
): Promise<HttpResponse> {
  const part = await parts.get({ ns, ...params });
  if (part === undefined) {
    throw parts.unknown({ ns, ...params });
  }
  return answerRead(headers, factsOf(part), () => part);
}

/** 201 or 200 for what is written down by hand. */
export async function answerWritten<Value extends PartValue>(
  request: PartRequest,
  path: 'resources' | 'resource-groups',
  write: (options: WriteOptions) => Promise<WrittenPart<Value>>,
): Promise<HttpResponse> {
  const { params, author, headers } = request;
  const { part, created } = await write({ author, precondition: readPrecondition(headers) });
  const location = canonicalLocation(request, `${path}/${params.environment}/${params.id}`);
  return created ? json(201, part, { ...factsOf(part), location }) : json(200, part, factsOf(part));
}

/** 204. */
export async function answerRemoved<Value extends PartValue>(
  { ns, params, author, headers }: PartRequest,
  parts: EnvironmentParts<Value>,
): Promise<HttpResponse> {
  const options = { author, precondition: readPrecondition(headers) };
  return noContent({ revision: await parts.delete({ ns, ...params }, options) });
}
