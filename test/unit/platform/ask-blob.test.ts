import { RestError } from '@azure/storage-blob';
import { describe, expect, it, vi } from 'vitest';
import { askBlob, isBlobMissing, isBlobTaken } from '../../../shared/platform/ask-blob.ts';
import { notFound } from '../../../shared/platform/errors.ts';

function failing(error: Error): Promise<never> {
  return askBlob(() => Promise.reject(error));
}

const answered = (statusCode: number, code: string) => new RestError(code, { statusCode, code });

describe('a call of Blob Storage', () => {
  it.each([
    [answered(408, 'RequestTimeout')],
    [answered(429, 'TooManyRequests')],
    [answered(500, 'InternalError')],
    [answered(503, 'ServerBusy')],
    [new RestError('refused', { code: 'ECONNREFUSED' })],
    [Object.assign(new Error('The operation was aborted.'), { name: 'AbortError' })],
  ])('is unavailable where it failed in passing: %s', async (error) => {
    await expect(failing(error)).rejects.toMatchObject({ kind: 'unavailable', cause: error });
  });

  it.each([
    [answered(404, 'BlobNotFound')],
    [answered(409, 'BlobImmutableDueToPolicy')],
    [answered(412, 'ConditionNotMet')],
    [answered(403, 'AuthenticationFailed')],
    [new TypeError('a fault of this program')],
    [notFound('Another domain says so.')],
  ])('passes anything else on: %s', async (error) => {
    await expect(failing(error)).rejects.toBe(error);
  });

  it('is ended when it takes too long, later where it moves much', async () => {
    vi.useFakeTimers();
    try {
      const hanging = (bytes: number) =>
        askBlob(
          (signal) =>
            new Promise<never>((_, reject) => {
              signal.addEventListener('abort', () => reject(signal.reason as Error));
            }),
          { bytes },
        ).catch((error: unknown) => error);
      const states = { small: false, large: false };
      const small = hanging(0).finally(() => {
        states.small = true;
      });
      const large = hanging(5 * 1024 * 1024).finally(() => {
        states.large = true;
      });
      await vi.advanceTimersByTimeAsync(10_000);
      expect(states).toEqual({ small: true, large: false });
      await vi.advanceTimersByTimeAsync(10_000);
      expect(states).toEqual({ small: true, large: true });
      expect(await Promise.all([small, large])).toMatchObject([
        { kind: 'unavailable' },
        { kind: 'unavailable' },
      ]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('tells what is missing or taken', () => {
    expect(isBlobMissing(answered(404, 'BlobNotFound'))).toBe(true);
    expect(isBlobMissing(answered(404, 'ContainerNotFound'))).toBe(false);
    expect(isBlobTaken(answered(409, 'BlobAlreadyExists'))).toBe(true);
    expect(isBlobTaken(answered(409, 'BlobImmutableDueToPolicy'))).toBe(true);
    expect(isBlobTaken(answered(412, 'ConditionNotMet'))).toBe(true);
    expect(isBlobTaken(answered(409, 'LeaseIdMissing'))).toBe(false);
  });
});
