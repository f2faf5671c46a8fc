import type { Body, CompleteResponse, HttpResponse } from './response.ts';

/**
 * Makes the body of an answer, and of a stream its first bytes, so that what is wrong with it at the beginning has a status. What fails later
 * cannot be told but by an end that comes before the `Content-Length`: a body that throws would leave the client waiting in
 * Azure (docs/decisions/0007). A stream that has a `byteLength` says by it how long it is.
 */
export async function completeBody(
  { body, ...response }: HttpResponse,
  onFailure: (error: unknown) => void,
): Promise<CompleteResponse> {
  if (body === undefined) return response;
  if (typeof body !== 'function') return { ...response, body };
  const made = await body();
  if (!isStream(made)) return { ...response, body: made };
  const length = 'byteLength' in made && { 'Content-Length': String(made.byteLength) };
  return { ...response, headers: { ...response.headers, ...length }, body: await begun(made, onFailure) };
}

export function isStream(body: Body): body is AsyncIterable<Uint8Array> {
  return typeof body === 'object' && Symbol.asyncIterator in body;
}

async function begun(
  stream: AsyncIterable<Uint8Array>,
  onFailure: (error: unknown) => void,
): Promise<AsyncIterable<Uint8Array>> {
  const iterator = stream[Symbol.asyncIterator]();
  const first = await iterator.next();
  return goOn(first, iterator, onFailure);
}

async function* goOn(
  first: IteratorResult<Uint8Array>,
  iterator: AsyncIterator<Uint8Array>,
  onFailure: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; next.done !== true; next = await iterator.next()) {
      yield next.value;
    }
  } catch (error) {
    onFailure(error);
  } finally {
    await iterator.return?.();
  }
}
