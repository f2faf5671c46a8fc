export * from './endpoint.ts';
export { NAME_PATTERN, nameSchema } from './name.ts';
export type { Author, EndpointRequest, HeaderReader, IncomingRequest, RequestContext } from './request.ts';
export { type HttpResponse, json, noContent, notModified, type ResponseFacts, text } from './response.ts';
