export { preferredType } from './accept.ts';
export {
  type Access,
  type AccessControl,
  authorize,
  type Credentials,
  type KeyAccess,
  keysOf,
  nothingAt,
  type Touch,
} from './access.ts';
export type { AccessObserver } from './access-observer.ts';
export { answerRange, type ByteRange, readByteRange } from './byte-range.ts';
export {
  ANONYMOUS,
  actorAt,
  addressOf,
  type Caller,
  type CallerOf,
  isSystem,
  type Keys,
  LOCAL,
  type Maker,
  makerOf,
  nobody,
  textOfKeys,
  unrestricted,
  VERBS,
  type Verb,
} from './caller.ts';
export { checkInput } from './check.ts';
export {
  createRouteHandlers,
  type DispatchOptions,
  type Invocation,
  type RouteHandler,
} from './dispatch.ts';
export * from './endpoint.ts';
export { allowedAgeSeconds } from './freshness.ts';
export { isJsonType, parseJsonContent } from './json-body.ts';
export { LimitedAccess } from './limited-access.ts';
export { NAME_PATTERN, nameSchema } from './name.ts';
export { observed } from './observed.ts';
export { describeApi } from './openapi.ts';
export {
  checkPrecondition,
  checkPresentTag,
  digestOf,
  type Precondition,
  readPrecondition,
  revisionTag,
} from './precondition.ts';
export { toProblem } from './problem.ts';
export { flag, list, paging, wholeNumber } from './query.ts';
export { CONTENT_TYPE_PATTERN, type RawContent, rawContent } from './raw-body.ts';
export type { Author, EndpointRequest, HeaderReader, IncomingRequest, RequestContext } from './request.ts';
export {
  answerRead,
  answerReadWith,
  type Body,
  type CompleteResponse,
  canonicalLocation,
  canonicalPath,
  content,
  type HttpResponse,
  json,
  noContent,
  type ResponseFacts,
  redirect,
  text,
} from './response.ts';
export { isWebUrl, webUrlSchema } from './web-url.ts';
