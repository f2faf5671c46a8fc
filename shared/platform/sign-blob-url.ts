import type { BlobClient, BlobServiceClient, UserDelegationKey } from '@azure/storage-blob';
import { askBlob } from './ask-blob.ts';

export interface BlobGrant {
  readonly permissions: { readonly read?: boolean; readonly create?: boolean; readonly write?: boolean };
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
  /** What a browser saves it as. */
  readonly fileName?: string;
}

interface KeptKey {
  readonly key: Promise<UserDelegationKey>;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

/** Milliseconds for which a key signs links after the first, each of which it outlives; Azure gives seven days at most. */
const KEY_REUSE = 24 * 3_600_000;
/** Milliseconds by which the clock here may be ahead of the storage's, for which a key of the future is none. */
const CLOCK_SKEW = 15 * 60_000;

/** Of the service, by which such a link is signed: the newest that Azurite checks too, which does not know what later ones sign besides. */
const DELEGATION_VERSION = '2025-07-05';

const keptKeys = new WeakMap<BlobServiceClient, KeptKey>();

/**
 * A link to one blob that grants something to whoever has it. It goes over https alone, unless the storage itself has none. Where the
 * connection holds the account's key, that signs it (a service SAS); else a key that the storage gives to this identity (a user delegation SAS).
 *
 * @throws SkerryError `unavailable` when the storage has to be asked for a key and does not answer.
 */
export async function signBlobUrl(
  service: BlobServiceClient,
  client: BlobClient,
  { permissions, expiresAt, fileName }: BlobGrant,
): Promise<string> {
  const { BlobSASPermissions, SASProtocol, StorageSharedKeyCredential } = await import('@azure/storage-blob');
  const values = {
    permissions: BlobSASPermissions.from(permissions),
    expiresOn: new Date(expiresAt),
    protocol: client.url.startsWith('https:') ? SASProtocol.Https : SASProtocol.HttpsAndHttp,
    ...(fileName !== undefined && { contentDisposition: `attachment; filename="${fileName}"` }),
  };
  if (service.credential instanceof StorageSharedKeyCredential) return await client.generateSasUrl(values);
  return await client.generateUserDelegationSasUrl(
    { ...values, version: DELEGATION_VERSION },
    await delegationKey(service, expiresAt),
  );
}

/** A key that is good for at least as long as a link. */
function delegationKey(service: BlobServiceClient, linkExpiresAt: number): Promise<UserDelegationKey> {
  const kept = keptKeys.get(service);
  if (kept !== undefined && kept.expiresAt >= linkExpiresAt) return kept.key;
  const expiresAt = linkExpiresAt + KEY_REUSE;
  const startsOn = new Date(Date.now() - CLOCK_SKEW);
  const key = askBlob<UserDelegationKey>((abortSignal) =>
    service.getUserDelegationKey(startsOn, new Date(expiresAt), { abortSignal }),
  );
  const asked = { key, expiresAt };
  keptKeys.set(service, asked);
  key.catch(() => {
    if (keptKeys.get(service) === asked) keptKeys.delete(service);
  });
  return key;
}
