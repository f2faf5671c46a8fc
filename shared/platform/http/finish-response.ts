import type { CrossOrigin } from './cross-origin.ts';
import type { Surface } from './endpoint.ts';
import type { IncomingRequest } from './request.ts';
import type { CompleteResponse } from './response.ts';

/** On every answer, and harmless to every client: no browser guesses a type, runs what is in an answer, or shows it in a frame. */
const SECURITY_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
} as const;
/** A year; browsers heed it only where the connection was secure. */
const TRANSPORT_SECURITY = 'max-age=31536000';

/**
 * Adds what every answer carries, where it does not say otherwise itself. What has a validator may be kept by whoever asked, to be
 * asked after; anything else is not for keeping. Legacy surfaces say nothing of keeping, as the systems that they stand for did not.
 */
export function finishResponse(
  response: CompleteResponse,
  request: IncomingRequest,
  {
    requestId,
    surface,
    crossOrigin,
  }: { readonly requestId: string; readonly surface: Surface; readonly crossOrigin: CrossOrigin },
): CompleteResponse {
  const { headers } = response;
  const isCanonical = surface === 'canonical';
  const shared = isCanonical ? crossOrigin.headersFor(request.headers) : {};
  const mayKeep = headers.ETag !== undefined || headers['Last-Modified'] !== undefined;
  return {
    ...response,
    headers: {
      ...SECURITY_HEADERS,
      ...(isSecure(request) && { 'Strict-Transport-Security': TRANSPORT_SECURITY }),
      ...(isCanonical && { 'Cache-Control': mayKeep ? 'private, no-cache' : 'no-store' }),
      ...shared,
      ...headers,
      ...(shared.Vary !== undefined &&
        headers.Vary !== undefined && { Vary: `${shared.Vary}, ${headers.Vary}` }),
      'X-Request-Id': requestId,
    },
  };
}

/** By what the front end says, which ends the caller's connection. */
function isSecure({ url, headers }: IncomingRequest): boolean {
  const forwarded = headers.get('x-forwarded-proto');
  return forwarded === null ? url.startsWith('https:') : forwarded.split(',').at(-1)?.trim() === 'https';
}
