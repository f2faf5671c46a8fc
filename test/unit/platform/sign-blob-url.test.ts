import { randomBytes } from 'node:crypto';
import {
  type BlobClient,
  BlobSASPermissions,
  BlobServiceClient,
  SASProtocol,
  StorageSharedKeyCredential,
  type UserDelegationKey,
} from '@azure/storage-blob';
import { beforeEach, expect, it, vi } from 'vitest';
import { signBlobUrl } from '../../../shared/platform/sign-blob-url.ts';

const ACCOUNT = 'https://account.blob.core.windows.net';
const HOUR = 3_600_000;

let asked: { readonly startsOn: Date; readonly expiresOn: Date; readonly key: UserDelegationKey }[];
let service: BlobServiceClient;
let blob: BlobClient;
let fails: boolean;

beforeEach(() => {
  asked = [];
  fails = false;
  service = new BlobServiceClient(ACCOUNT, { getToken: async () => null });
  blob = service.getContainerClient('bundles').getBlobClient('default/a b.zip');
  const ask = async (startsOn: Date, expiresOn: Date) => {
    if (fails) throw Object.assign(new Error('no way'), { code: 'ECONNREFUSED' });
    const key = keyOf(startsOn, expiresOn);
    asked.push({ startsOn, expiresOn, key });
    return key;
  };
  vi.spyOn(service, 'getUserDelegationKey').mockImplementation(ask as never);
});

function keyOf(signedStartsOn: Date, signedExpiresOn: Date): UserDelegationKey {
  const value = randomBytes(32).toString('base64');
  const of = {
    signedObjectId: 'oid',
    signedTenantId: 'tid',
    signedService: 'b',
    signedVersion: '2025-01-05',
  };
  return { ...of, signedStartsOn, signedExpiresOn, value };
}

function link(expiresAt: number): Promise<string> {
  return signBlobUrl(service, blob, { permissions: { read: true }, expiresAt, fileName: 'a.zip' });
}

it('signs as the SDK does with a key that the storage gives to an identity', async () => {
  const expiresAt = Date.now() + HOUR;
  const url = await link(expiresAt);
  const [first] = asked;
  const wanted = {
    permissions: BlobSASPermissions.from({ read: true }),
    expiresOn: new Date(expiresAt),
    protocol: SASProtocol.Https,
    version: '2025-07-05',
    contentDisposition: 'attachment; filename="a.zip"',
  };
  expect(url).toBe(await blob.generateUserDelegationSasUrl(wanted, first?.key as UserDelegationKey));
  expect(new URL(url).searchParams.get('skoid')).toBe('oid');
});

it('asks for a key once, and again for a link that would outlive it', async () => {
  const now = Date.now();
  await Promise.all([link(now + HOUR), link(now + HOUR), link(now + HOUR)]);
  await link(now + 24 * HOUR);
  expect(asked).toHaveLength(1);
  await link(now + 26 * HOUR);
  expect(asked).toHaveLength(2);
  for (const { startsOn, expiresOn } of asked) {
    // A clock that is ahead, and the most that Azure gives.
    expect(now - startsOn.getTime()).toBeGreaterThan(10 * 60_000);
    expect(expiresOn.getTime() - now).toBeLessThan(7 * 24 * HOUR);
  }
  const last = asked.at(-1)?.expiresOn.getTime() ?? 0;
  expect(last).toBeGreaterThanOrEqual(now + 26 * HOUR);
});

it('says that storage is away where no key comes, and asks again', async () => {
  fails = true;
  await expect(link(Date.now() + HOUR)).rejects.toMatchObject({ kind: 'unavailable' });
  fails = false;
  expect(await link(Date.now() + HOUR)).toContain('skoid=oid');
});

it('signs with the key of the account where there is one', async () => {
  const key = randomBytes(64).toString('base64');
  const owned = new BlobServiceClient(ACCOUNT, new StorageSharedKeyCredential('account', key));
  const url = await signBlobUrl(owned, owned.getContainerClient('c').getBlobClient('b'), {
    permissions: { create: true },
    expiresAt: Date.now() + HOUR,
  });
  expect(new URL(url).searchParams.get('skoid')).toBeNull();
});
