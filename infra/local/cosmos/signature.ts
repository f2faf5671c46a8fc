import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { CheckToken } from '../identity/token-authority.ts';
import { CosmosError } from './cosmos-error.ts';

/** A signature is good for a quarter of an hour (the same documentation). */
const MAX_SKEW_MS = 15 * 60 * 1000;

/**
 * Checks the master key signature of a request, or its token (Cosmos DB REST docs, "Access control on resources").
 * @param checkToken absent where no tokens are taken
 * @param path decoded: an even number names a resource, an odd one ends in the type of a feed
 * @throws CosmosError 401
 */
export function checkSignature(
  key: KeyObject,
  checkToken: CheckToken | undefined,
  method: string,
  path: readonly string[],
  headers: IncomingHttpHeaders,
): void {
  const token = givenToken(headers.authorization);
  if (token !== undefined && checkToken !== undefined) {
    if (checkToken(token) !== undefined) return;
    throw new CosmosError(401, 'The provided token is not one of this account, or has ended.');
  }
  // What is done to a container as a whole is signed as the container (`dbs/a/colls/b/operations/partitionkeydelete`).
  const segments = path[4] === 'operations' ? path.slice(0, 4) : path;
  const isFeed = segments.length % 2 === 1;
  const type = (isFeed ? segments.at(-1) : segments.at(-2)) ?? '';
  const owner = (isFeed ? segments.slice(0, -1) : segments).join('/');
  const date = String(headers['x-ms-date'] ?? headers.date ?? '');
  const signed = [method.toLowerCase(), type.toLowerCase(), owner, date.toLowerCase(), '', ''].join('\n');
  const expected = createHmac('sha256', key).update(signed).digest();
  const given = givenSignature(headers.authorization);
  if (given?.length === expected.length && timingSafeEqual(given, expected)) {
    if (Math.abs(Date.parse(date) - Date.now()) <= MAX_SKEW_MS) return;
    throw new CosmosError(
      403,
      `The authorization token is not valid at the current time. Please create another token and retry (token time: ${date}, current server time: ${new Date().toUTCString()}).`,
    );
  }
  throw new CosmosError(
    401,
    'The input authorization token cannot serve the request. The wrong key is being used or the expected payload is not ' +
      `built as per the protocol. Server used the following payload to sign: '${signed.replaceAll('\n', '\\n')}'`,
  );
}

function givenToken(authorization = ''): string | undefined {
  return /^type=aad&ver=1\.0&sig=(.+)$/.exec(decoded(authorization))?.[1];
}

function givenSignature(authorization: string | undefined): Buffer | undefined {
  if (authorization === undefined) {
    throw new CosmosError(
      401,
      'Required Header authorization is missing. Ensure a valid Authorization token is passed.',
    );
  }
  const match = /^type=master&ver=1\.0&sig=(.+)$/.exec(decoded(authorization));
  return match?.[1] === undefined ? undefined : Buffer.from(match[1], 'base64');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
